import type { Logger } from '../ports.js';
import { asNotifyError, NotifyError } from './notify-error.js';
import type { Notice, Notifier } from './ports.js';

/** For one try of one notice through one channel, whatever the channel does. */
export const NOTICE_TIMEOUT_MS = 10_000;

export interface SendNoticeOptions {
  readonly notifier: Notifier;
  readonly idempotencyKey: string;
  /** Our shutdown. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly timeoutMs?: number;
}

/**
 * One try to send a notice, ended at its deadline also where the channel does not listen to the signal. Throws a NotifyError
 * and nothing else.
 */
export async function sendNotice(notice: Notice, options: SendNoticeOptions): Promise<void> {
  const { notifier, idempotencyKey, signal, log, timeoutMs = NOTICE_TIMEOUT_MS } = options;
  const ended = new AbortController();
  let endWith = (_: NotifyError) => {};
  const end = new Promise<never>((_, reject) => {
    endWith = (error) => {
      reject(error); // before the abort: what ends the try is the reason, whatever the channel makes of it
      ended.abort(error);
    };
  });
  end.catch(() => {}); // the race below has another winner in the ordinary case
  const timer = setTimeout(
    () => endWith(new NotifyError(`${notifier.name}: no answer in time`, { retryable: true, code: 'HTTP.TIMEOUT' })),
    timeoutMs,
  );
  const onShutdown = () =>
    endWith(
      new NotifyError(`${notifier.name}: given up in a shutdown`, { retryable: true, code: 'DELIVERY.CANCELLED' }),
    );
  signal.addEventListener('abort', onShutdown, { once: true });
  if (signal.aborted) onShutdown();
  try {
    ended.signal.throwIfAborted();
    const sent = (async () => notifier.send(notice, { signal: ended.signal, idempotencyKey, log }))();
    sent.catch(() => {}); // it may fail after the race is over
    await Promise.race([end, sent]);
  } catch (error) {
    throw asNotifyError(notifier.name, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onShutdown);
  }
}
