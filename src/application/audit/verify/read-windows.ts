import { HASH_BYTES } from '../../../domain/audit/merkle-hash.js';
import type { Place, SealRow, VerifyStore } from './ports.js';
import type { Findings } from './report.js';

/** Whole seals next to each other: what is compared with rows at once. */
export interface SealedWindow {
  readonly first: number;
  readonly hashes: readonly Uint8Array[];
  /** The place of the last record before; null: there is none. */
  readonly after: Place | null;
  /** The place of the last record of each seal, by the offset behind it. */
  readonly ends: ReadonlyMap<number, Place>;
  readonly upTo: Place;
  /** Leaves that are missing right before: the seals that held them are gone. */
  readonly gap: number;
}

/** Large enough that few statements carry many rows, small enough that memory stays flat. */
const LEAVES_AT_ONCE = 5_000;
const SEALS_AT_ONCE = 32;

/** The seals from `start` on, behind which `after` is the last place, up to leaf `end`, with whatever is wrong in how they follow each other. */
export async function* readWindows(
  { store, findings }: { readonly store: VerifyStore; readonly findings: Findings },
  range: { readonly start: number; readonly end: number; readonly after: Place | null },
): AsyncGenerator<SealedWindow> {
  const { start, end } = range;
  let [next, last] = [start, range.after];
  let seals: SealRow[] = [];
  let gap = 0;
  const broken = (index: number, what: string) => findings.add({ kind: 'seal', index, recordId: null, what });
  const flush = (): SealedWindow[] => {
    const window = windowOf(seals, last, gap);
    if (window === null) return [];
    last = window.upTo;
    seals = [];
    gap = 0;
    return [window];
  };

  let from = start;
  while (next < end) {
    const page = await store.readSeals(from, end, SEALS_AT_ONCE);
    for (const seal of page) {
      from = seal.firstIndex + 1;
      if (seal.firstIndex !== next) {
        yield* flush();
        if (seal.firstIndex < next) {
          broken(seal.firstIndex, `seal ${seal.firstIndex}: expected one that begins at ${next}`);
          continue;
        }
        broken(next, `leaves ${next} to ${seal.firstIndex - 1}: expected their seal, found none`);
        gap = seal.firstIndex - next;
      }
      if (seal.hashes.length !== seal.size * HASH_BYTES) {
        broken(seal.firstIndex, `seal ${seal.firstIndex}: expected ${seal.size} hashes`);
      }
      const before = seals.at(-1)?.place ?? last;
      if (before !== null && comparePlaces(before, seal.place) >= 0) {
        broken(seal.firstIndex, `seal ${seal.firstIndex}: expected a last record behind that of the seal before`);
      }
      seals.push(seal);
      next = seal.firstIndex + seal.hashes.length / HASH_BYTES;
      if (leavesOf(seals) >= LEAVES_AT_ONCE) yield* flush();
    }
    if (page.length < SEALS_AT_ONCE) break;
  }
  yield* flush();
  if (next < end) broken(next, `leaves ${next} to ${end - 1}: expected their seal, found none`);
}

export function comparePlaces(a: Place, b: Place): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  const [left, right] = a.tx === b.tx ? [BigInt(a.seq), BigInt(b.seq)] : [BigInt(a.tx), BigInt(b.tx)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function windowOf(seals: readonly SealRow[], after: Place | null, gap: number): SealedWindow | null {
  const [first] = seals;
  if (first === undefined) return null;
  const hashes: Uint8Array[] = [];
  const ends = new Map<number, Place>();
  let upTo = first.place;
  for (const seal of seals) {
    for (let at = 0; at + HASH_BYTES <= seal.hashes.length; at += HASH_BYTES) {
      hashes.push(seal.hashes.subarray(at, at + HASH_BYTES));
    }
    ends.set(hashes.length - 1, seal.place);
    // Never backwards, or the records between would be looked for twice.
    if (comparePlaces(seal.place, upTo) > 0) upTo = seal.place;
  }
  return { first: first.firstIndex, hashes, after, ends, upTo, gap };
}

const leavesOf = (seals: readonly SealRow[]): number =>
  seals.reduce((sum, { hashes }) => sum + hashes.length / HASH_BYTES, 0);
