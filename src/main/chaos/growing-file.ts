/** What a process prints into a file that only grows, read and counted piece by piece: faults ask many times a second. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export interface GrowingFile {
  /** Its end: at most `mostCharacters`. */
  text(): string;
  /** How often a global pattern stood in a whole line so far, in what is kept no more, too, where it was asked for in time. */
  times(pattern: RegExp): number;
}

export function readGrowing(file: string, mostCharacters: number): GrowingFile {
  const decoder = new TextDecoder();
  const counted = new Map<string, { readonly n: number; readonly upTo: number }>();
  let [at, kept] = [0, ''];
  /** Characters before those that are kept. */
  let gone = 0;

  function text(): string {
    const opened = openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(fstatSync(opened).size - at);
      const read = readSync(opened, buffer, 0, buffer.length, at);
      at += read;
      const all = kept + decoder.decode(buffer.subarray(0, read), { stream: true });
      kept = all.slice(-mostCharacters);
      gone += all.length - kept.length;
      return kept;
    } finally {
      closeSync(opened);
    }
  }

  return {
    text,
    times(pattern) {
      const lines = text();
      const whole = lines.lastIndexOf('\n') + 1;
      const before = counted.get(pattern.source) ?? { n: 0, upTo: 0 };
      const since = lines.slice(Math.max(0, before.upTo - gone), whole);
      const n = before.n + (since.match(pattern)?.length ?? 0);
      counted.set(pattern.source, { n, upTo: Math.max(before.upTo, gone + whole) });
      return n;
    },
  };
}
