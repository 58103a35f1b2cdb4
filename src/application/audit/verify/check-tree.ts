import type { Checkpoint } from '../../../domain/audit/checkpoint.js';
import { type CompactRange, compactRange } from '../../../domain/audit/compact-range.js';
import { HASH_BYTES, type Sha256, sameBytes } from '../../../domain/audit/merkle-hash.js';
import { rootSubtrees, type Subtree, subtreesBehind } from '../../../domain/audit/merkle-tree.js';
import { createLogTree, TILE_WIDTH } from '../log/log-tree.js';
import { type LeafStore, LogBrokenError } from '../log/ports.js';
import { isLossAccepted } from './check-anchor.js';
import type { KnownExcuses } from './known-excuses.js';
import type { NoteReader } from './open-notes.js';
import type { CheckpointRow, VerifyStore } from './ports.js';
import { type Findings, MOST_NAMED } from './report.js';

export interface CheckTreeDeps {
  readonly store: VerifyStore;
  readonly leaves: LeafStore;
  readonly sha256: Sha256;
  readonly reader: NoteReader;
  readonly excuses: KnownExcuses;
  readonly findings: Findings;
}

/** The tree over the sealed hashes as they are read, against the tiles and the signed checkpoints on the way. */
export interface TreeCheck {
  /** Leaves so far. */
  size(): number;
  append(hashes: readonly Uint8Array[]): Promise<void>;
  /** Leaves that nobody can append any more: nothing after them can be compared. */
  lose(count: number): void;
  /** The greatest size whose signed root is that of the leaves; 0: none yet. */
  signedSize(): number;
  /**
   * The root at a size that was asked for at the beginning and is passed, or at one behind: what the leaves so far lead to
   * with the rest as tiles give it, so that no false tile can make it fit. null: it cannot be made.
   */
  rootAt(size: number): Promise<Uint8Array | null>;
  /** The next signed checkpoint behind, where none was found on the way that the leaves so far are all below. */
  signNext(): Promise<void>;
  /** Checkpoints of more leaves than there are. */
  end(): Promise<void>;
}

const CHECKPOINTS_AT_ONCE = 500;
/** PostgreSQL's greatest integer: behind every checkpoint of a size. */
const MOST_BRANCHES = 2 ** 31 - 1;

/**
 * Begins at `start` leaves, whose roots are taken as tiles and seals give them, and so are proven by the first checkpoint
 * behind. `tilesTo`: below this size every full tile must stand. `keep`: sizes whose roots will be asked for.
 */
export async function checkTree(
  deps: CheckTreeDeps,
  {
    start,
    tilesTo,
    keep = [],
  }: { readonly start: number; readonly tilesTo: number; readonly keep?: readonly number[] },
): Promise<TreeCheck> {
  const { store, findings, sha256, excuses } = deps;
  const isAccepted = async ({ branch, size }: CheckpointRow) =>
    isLossAccepted((await excuses.all()).branches, branch, size);
  const kept = new Map<number, Uint8Array>();
  const full: { subtree: Subtree; root: Uint8Array }[] = [];
  const roots = await readRoots(deps, start);
  const range: CompactRange = compactRange(
    sha256,
    { size: roots === null ? 0 : start, roots: roots ?? [] },
    (subtree, root) => {
      if (subtree.level > 0 && subtree.level % TILE_LEVELS === 0) full.push({ subtree, root });
    },
  );
  const checkpoints = checkpointsBehind(store, start);
  let next = await checkpoints.next();
  let [good, lost, forked] = [0, roots === null ? start : 0, false];

  async function compare(row: CheckpointRow, signed: Checkpoint, root: Uint8Array): Promise<void> {
    if (sameBytes(signed.root, root)) good = signed.size;
    else if (await isAccepted(row)) return;
    else if (forked) findings.count('root', 1);
    else {
      // Whatever is wrong stays wrong in every later root: one is named, the rest counted.
      forked = true;
      const first = Math.max(good, start);
      const what = `leaves ${first} to ${signed.size - 1}: expected the root that was signed at size ${signed.size}`;
      findings.add({ kind: 'root', index: first, recordId: null, what });
    }
  }

  async function rootAt(size: number): Promise<Uint8Array | null> {
    const known = kept.get(size);
    if (known !== undefined || lost > 0 || size < range.size()) return known ?? null;
    const further = compactRange(sha256, { size: range.size(), roots: range.roots() });
    const tree = createLogTree({ store: deps.leaves, sha256 });
    try {
      for (const one of subtreesBehind(range.size(), size)) further.appendSubtree(one, await tree.subtree(one));
    } catch (error) {
      if (error instanceof LogBrokenError) return null; // leaves are missing there: whoever asked names that it does not fit
      throw error;
    }
    return further.root();
  }

  async function truncated(row: CheckpointRow, head: number): Promise<void> {
    if (await isAccepted(row)) return;
    const what = `leaves ${head} to ${row.size - 1} are gone: size ${row.size} was signed`;
    if (forked || !isSigned(deps.reader, row)) findings.count('truncated', 1);
    else findings.add({ kind: 'truncated', index: head, recordId: null, what });
    forked = true;
  }

  return {
    size: () => range.size() + lost,
    signedSize: () => good,
    lose: (count) => {
      lost += count;
    },
    async append(hashes) {
      for (const hash of hashes) {
        if (lost > 0) lost += 1;
        else range.append(hash.length === HASH_BYTES ? hash : sha256(hash));
        if (lost === 0 && keep.includes(range.size())) kept.set(range.size(), range.root());
        while (next.value !== undefined && next.value.size <= range.size() + lost) {
          const row = next.value;
          const signed = openStored(deps, row);
          if (signed !== null && signed.size === range.size() && lost === 0) await compare(row, signed, range.root());
          next = await checkpoints.next();
        }
      }
      await compareTiles(deps, full.splice(0), tilesTo);
    },
    rootAt,
    async signNext() {
      if (lost > 0 || good >= range.size()) return;
      let head = range.size();
      for (let broken = 0; next.value !== undefined && broken < MOST_NAMED; next = await checkpoints.next()) {
        const row = next.value;
        // Of a branch that was given up: one of the branch that goes on is behind it.
        if (isLossAccepted(excuses.now().branches, row.branch, row.size)) continue;
        const signed = openStored(deps, row);
        if (signed?.size !== row.size) {
          broken += 1;
          continue;
        }
        if (row.size > head) head = (await store.readHead())?.size ?? 0;
        if (row.size > head) return truncated(row, head);
        return compare(row, signed, (await rootAt(row.size)) ?? NO_ROOT);
      }
    },
    async end() {
      let head = range.size() + lost;
      for (; next.value !== undefined; next = await checkpoints.next()) {
        const row = next.value;
        // Of a log that is being written: the seals of a checkpoint stand before it does.
        if (row.size > head) head = (await store.readHead())?.size ?? 0;
        if (row.size > head) await truncated(row, head);
      }
    },
  };
}

const NO_ROOT = new Uint8Array(0);

/** null: they cannot be made, which is named. */
async function readRoots({ leaves, sha256, findings }: CheckTreeDeps, size: number): Promise<Uint8Array[] | null> {
  const tree = createLogTree({ store: leaves, sha256 });
  try {
    const roots: Uint8Array[] = [];
    for (const subtree of rootSubtrees(size)) roots.push(await tree.subtree(subtree));
    return roots;
  } catch (error) {
    if (!(error instanceof LogBrokenError)) throw error;
    findings.add({ kind: 'seal', index: null, recordId: null, what: error.message });
    return null;
  }
}

const TILE_LEVELS = Math.log2(TILE_WIDTH);

async function compareTiles(
  { store, findings }: CheckTreeDeps,
  full: readonly { readonly subtree: Subtree; readonly root: Uint8Array }[],
  tilesTo: number,
): Promise<void> {
  if (full.length === 0) return;
  const tiles = await store.readTiles(
    full.map(({ subtree }) => ({ level: subtree.level / TILE_LEVELS - 1, index: subtree.index })),
  );
  for (const [at, { subtree, root }] of full.entries()) {
    const tile = tiles[at] ?? null;
    const first = subtree.index * 2 ** subtree.level;
    const behind = first + 2 ** subtree.level;
    if (tile === null ? behind > tilesTo : sameBytes(tile, root)) continue;
    const named = `tile ${subtree.index} of level ${subtree.level / TILE_LEVELS - 1}`;
    const what = `${named}: ${tile === null ? 'expected one, found none' : 'expected the root of its leaves'}`;
    findings.add({ kind: 'tile', index: first, recordId: null, what });
  }
}

async function* checkpointsBehind(store: VerifyStore, size: number): AsyncGenerator<CheckpointRow, undefined> {
  let after = { size, branch: MOST_BRANCHES };
  while (true) {
    const rows = await store.readCheckpoints(after, CHECKPOINTS_AT_ONCE);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

/** The signed part of a row, and what is wrong with it named; null: no known key has signed it. */
function openStored({ reader, findings }: CheckTreeDeps, row: CheckpointRow): Checkpoint | null {
  const named = `checkpoint of branch ${row.branch}, size ${row.size}`;
  const broken = (what: string) => findings.add({ kind: 'checkpoint', index: null, recordId: null, what });
  try {
    const signed = reader.checkpoint(row.note, row.branch);
    if (signed.size !== row.size || !sameBytes(signed.root, row.root)) {
      broken(`${named}: the row is not what its note says`);
    }
    return signed;
  } catch (error) {
    broken(`${named}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

function isSigned(reader: NoteReader, row: CheckpointRow): boolean {
  try {
    return reader.checkpoint(row.note, row.branch).size === row.size;
  } catch {
    return false;
  }
}
