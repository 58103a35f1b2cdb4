import type { Anchor } from '../log/ports.js';

type Calls<T> = { readonly [K in keyof T]: (...given: never[]) => Promise<unknown> };
type AnyCalls = Readonly<Record<string, (...given: unknown[]) => Promise<unknown>>>;

/**
 * The same calls, ended by the signal: none begins behind it, and one that is under way is waited for no longer, whatever
 * its statement reads. So whoever asks in a loop hears it at every turn. Each call throws the signal's reason.
 */
export function heedSignal<T extends Calls<T>>(calls: T, signal: AbortSignal | undefined): T {
  if (signal === undefined) return calls;
  const heeding: AnyCalls = Object.fromEntries(
    Object.entries(calls as unknown as AnyCalls).map(([name, call]) => [
      name,
      (...given) => untilAborted(() => call(...given), signal),
    ]),
  );
  return heeding as unknown as T;
}

type Readable = Pick<Anchor, 'readAll' | 'readBack'>;

/** As `heedSignal`, at every note. */
export function heedSignalOfAnchor(anchor: Readable, signal: AbortSignal | undefined): Readable {
  if (signal === undefined) return anchor;
  async function* heeding(notes: ReturnType<Readable['readAll']>, heard: AbortSignal) {
    const reading = notes[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await untilAborted(() => reading.next(), heard);
        if (done) return;
        yield value;
      }
    } finally {
      // Not waited for: it ends behind the read that is under way, and whose failure is nobody's any more.
      reading.return?.().catch(() => undefined);
    }
  }
  return { readAll: () => heeding(anchor.readAll(), signal), readBack: () => heeding(anchor.readBack(), signal) };
}

async function untilAborted<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([call(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
