import type { ApiKeyStore } from './ports.js';

export interface NoteLastUseDeps {
  readonly keys: Pick<ApiKeyStore, 'noteUse'>;
  readonly log: { warn(fields: object, message: string): void };
}

/** `at`: the request's time. Returns at once. */
export type NoteLastUse = (key: { readonly id: string }, at: Date) => void;

const EVERY_MS = 60_000;
/** Connections that it may hold; what finds none free is written by a later request of the key. */
const AT_ONCE = 2;
/** Keys remembered; forgotten ones cost one statement more, which writes nothing. */
const REMEMBERED = 10_000;

/**
 * Notes that keys are used, at most once a minute for each: no request waits for it, and none fails with it. A failure is
 * counted, logged with the count, and tried again after the minute.
 */
export function noteLastUse({ keys, log }: NoteLastUseDeps): NoteLastUse {
  const noted = new Map<string, number>();
  let running = 0;
  let failures = 0;
  return ({ id }, at) => {
    const last = noted.get(id);
    if ((last !== undefined && at.getTime() - last < EVERY_MS) || running >= AT_ONCE) return;
    if (noted.size >= REMEMBERED) noted.clear();
    noted.set(id, at.getTime());
    running++;
    keys
      .noteUse(id)
      .catch((err: unknown) => {
        failures++;
        log.warn(
          { event: 'key.use_not_noted', keyId: id, failures, err },
          'the last use of a key was not written down',
        );
      })
      .finally(() => {
        running--;
      });
  };
}
