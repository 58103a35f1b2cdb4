import { type CompactRange, compactRange } from '../../../domain/audit/compact-range.js';
import { HASH_BYTES, type Sha256, sameBytes } from '../../../domain/audit/merkle-hash.js';
import { rootSubtrees, type Subtree } from '../../../domain/audit/merkle-tree.js';
import { createLogTree, TILE_WIDTH } from '../log/log-tree.js';
import { type LeafStore, LogBrokenError } from '../log/ports.js';
import type { NoteReader } from './open-notes.js';
import type { CheckpointRow, VerifyStore } from './ports.js';
import type { Findings } from './report.js';

export interface CheckTreeDeps {
  readonly store: VerifyStore;
  readonly leaves: LeafStore;
  readonly sha256: Sha256;
  readonly reader: NoteReader;
  /** Whether a signed note accepts that this checkpoint is not of the tree any more. */
  readonly isAccepted: (branch: number, size: number) => boolean;
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
  /** Checkpoints of more leaves than there are. */
  end(): Promise<void>;
}

const CHECKPOINTS_AT_ONCE = 500;
/** PostgreSQL's greatest integer: behind every checkpoint of a size. */
const MOST_BRANCHES = 2 ** 31 - 1;

/**
 * Begins at `start` leaves, whose roots are taken as tiles and seals give them, and so are proven by the first checkpoint
 * behind. `tilesTo`: below this size every full tile must stand.
 */
export async function checkTree(deps: CheckTreeDeps, start: number, tilesTo: number): Promise<TreeCheck> {
  const { store, findings, sha256 } = deps;
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

  function compare(row: CheckpointRow): void {
    const index = good;
    const named = `checkpoint of branch ${row.branch}, size ${row.size}`;
    const broken = (what: string) => findings.add({ kind: 'checkpoint', index: null, recordId: null, what });
    let signed: ReturnType<NoteReader['checkpoint']>;
    try {
      signed = deps.reader.checkpoint(row.note, row.branch);
    } catch (error) {
      broken(`${named}: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (signed.size !== row.size || !sameBytes(signed.root, row.root))
      broken(`${named}: the row is not what its note says`);
    if (signed.size !== range.size() || lost > 0) return;
    if (sameBytes(signed.root, range.root())) good = signed.size;
    else if (deps.isAccepted(row.branch, row.size)) return;
    else if (forked) findings.count('root', 1);
    else {
      // Whatever is wrong stays wrong in every later root: one is named, the rest counted.
      forked = true;
      const what = `leaves ${good} to ${signed.size - 1}: expected the root that was signed at size ${signed.size}`;
      findings.add({ kind: 'root', index, recordId: null, what });
    }
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
        while (next.value !== undefined && next.value.size <= range.size() + lost) {
          compare(next.value);
          next = await checkpoints.next();
        }
      }
      await compareTiles(deps, full.splice(0), tilesTo);
    },
    async end() {
      let head = range.size() + lost;
      for (; next.value !== undefined; next = await checkpoints.next()) {
        const row = next.value;
        // Of a log that is being written: the seals of a checkpoint stand before it does.
        if (row.size > head) head = (await store.readHead())?.size ?? 0;
        if (row.size <= head || deps.isAccepted(row.branch, row.size)) continue;
        const what = `leaves ${head} to ${row.size - 1} are gone: size ${row.size} was signed`;
        if (forked || !isSigned(deps.reader, row)) findings.count('truncated', 1);
        else findings.add({ kind: 'truncated', index: head, recordId: null, what });
        forked = true;
      }
    },
  };
}

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

function isSigned(reader: NoteReader, row: CheckpointRow): boolean {
  try {
    return reader.checkpoint(row.note, row.branch).size === row.size;
  } catch {
    return false;
  }
}
