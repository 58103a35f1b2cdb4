import type { BranchNote } from '../../../domain/audit/audit-note.js';
import { type Checkpoint, originOf } from '../../../domain/audit/checkpoint.js';
import { type Sha256, sameBytes } from '../../../domain/audit/merkle-hash.js';
import { createLogTree, type LogTree } from '../log/log-tree.js';
import { type Anchor, type AnchoredNote, type LeafStore, LogBrokenError } from '../log/ports.js';
import type { KnownExcuses } from './known-excuses.js';
import type { KnownKeys, NoteReader } from './open-notes.js';
import type { VerifyStore } from './ports.js';
import type { Findings } from './report.js';

/** Whether a signed note accepts that a checkpoint is not of the tree any more. */
export function isLossAccepted(branches: readonly BranchNote[], branch: number, size: number): boolean {
  return branches.some((note) => branch < note.branch && size > note.kept.size && size <= note.lost.size);
}

export interface CheckAnchorDeps {
  readonly store: Pick<VerifyStore, 'findCheckpoints' | 'readHead'>;
  readonly leaves: LeafStore;
  readonly sha256: Sha256;
  readonly findings: Findings;
  readonly excuses: KnownExcuses;
}

/** A checkpoint that the anchor has and a known key has signed. */
export interface AnchoredPoint {
  readonly branch: number;
  readonly signed: Checkpoint;
}

const AT_ONCE = 500;

/**
 * Every anchored checkpoint against the log; returns the greatest size that agrees. `signedTo`: up to where the stored
 * checkpoints were found to be the tree's, so that equal ones need no look at it.
 */
export async function checkAnchor(
  deps: CheckAnchorDeps,
  points: AsyncIterable<AnchoredPoint>,
  signedTo: number,
): Promise<number> {
  const tree = createLogTree({ store: deps.leaves, sha256: deps.sha256 });
  const judge = judgeAnchored(deps);
  let agreed = 0;

  async function judgeAll(batch: readonly AnchoredPoint[]): Promise<void> {
    const standing = await deps.store.findCheckpoints(
      batch.map(({ branch, signed }) => ({ branch, size: signed.size })),
    );
    const head = (await deps.store.readHead())?.size ?? 0;
    for (const point of batch) {
      const { size, root } = point.signed;
      const same = standing.some(
        (row) => row.branch === point.branch && row.size === size && sameBytes(row.root, root),
      );
      const agrees = async () => (same && size <= signedTo) || (await hasRoot(tree, size, root));
      if (await judge(point, head, agrees)) agreed = Math.max(agreed, size);
    }
  }

  const batch: AnchoredPoint[] = [];
  for await (const point of points) {
    batch.push(point);
    if (batch.length >= AT_ONCE) await judgeAll(batch.splice(0));
  }
  await judgeAll(batch);
  return agreed;
}

/**
 * The latest anchored checkpoints alone, against the roots that some leaves lead to: what they say of these, and whether
 * the log goes on to them. `rootAt`: the root of a size that the looked at leaves are a part of; null: it cannot be made.
 * Below `from` nothing is said of the leaves, and the tree is taken as it stands. Returns the greatest size that agrees.
 */
export async function checkLatestAnchored(
  deps: CheckAnchorDeps,
  latest: readonly AnchoredPoint[],
  { from, rootAt }: { readonly from: number; readonly rootAt: (size: number) => Promise<Uint8Array | null> },
): Promise<number> {
  const tree = createLogTree({ store: deps.leaves, sha256: deps.sha256 });
  const judge = judgeAnchored(deps);
  const head = (await deps.store.readHead())?.size ?? 0;
  let agreed = 0;
  for (const point of latest) {
    const { size, root } = point.signed;
    const agrees = async () => {
      if (size <= from) return hasRoot(tree, size, root);
      const made = await rootAt(size);
      return made !== null && sameBytes(made, root);
    };
    if (await judge(point, head, agrees)) agreed = Math.max(agreed, size);
  }
  return agreed;
}

/** Whether a point is of the tree, or else names what is wrong: the first of a kind, the rest is counted. */
function judgeAnchored({ findings, excuses }: CheckAnchorDeps) {
  const named = new Set<'truncated' | 'root'>();
  return async ({ branch, signed }: AnchoredPoint, head: number, agrees: () => Promise<boolean>): Promise<boolean> => {
    const { size } = signed;
    if (size <= head && (await agrees())) return true;
    if (isLossAccepted((await excuses.all()).branches, branch, size)) return false;
    const kind = size > head ? 'truncated' : 'root';
    const what =
      kind === 'truncated'
        ? `leaves ${head} to ${size - 1} are gone: the anchor has a checkpoint of size ${size}`
        : `expected the root that the anchor has for size ${size} of branch ${branch}`;
    if (named.has(kind)) findings.count(kind, 1);
    else findings.add({ kind, index: kind === 'truncated' ? head : null, recordId: null, what });
    named.add(kind);
    return false;
  };
}

/** False, too, where the seals are so broken that there is no root: which of them, was named before. */
export async function hasRoot(tree: LogTree, size: number, root: Uint8Array): Promise<boolean> {
  try {
    return sameBytes(await tree.root(size), root);
  } catch (error) {
    if (error instanceof LogBrokenError) return false;
    throw error;
  }
}

export interface ReadPointsDeps {
  readonly reader: NoteReader;
  readonly keys: KnownKeys;
}

/** In the order of the puts. What is of another log, or signed by nobody known, is no evidence of anything. */
export async function* readAnchored(
  deps: ReadPointsDeps,
  notes: AsyncIterable<AnchoredNote>,
): AsyncGenerator<AnchoredPoint> {
  for await (const note of notes) {
    const point = readPoint(deps, note);
    if (point !== null) yield point;
  }
}

/** So many of the last ones are looked at: signers that follow each other may put theirs in a crossed order. */
const LATEST = 64;

/** Of each branch among the last anchored checkpoints the one with the greatest size. Reads the end of the anchor only. */
export async function readLatestAnchored(
  deps: ReadPointsDeps,
  anchor: Pick<Anchor, 'readBack'>,
): Promise<AnchoredPoint[]> {
  const newest = new Map<number, AnchoredPoint>();
  let seen = 0;
  for await (const point of readAnchored(deps, anchor.readBack())) {
    if (point.signed.size > (newest.get(point.branch)?.signed.size ?? 0)) newest.set(point.branch, point);
    seen += 1;
    if (seen === LATEST) break;
  }
  return [...newest.values()];
}

function readPoint({ reader, keys }: ReadPointsDeps, { kind, origin, note }: AnchoredNote): AnchoredPoint | null {
  if (kind !== 'checkpoint') return null;
  const branch = origin === keys.base ? 1 : Number(/^(.*)\/([1-9]\d{0,8})$/.exec(origin)?.[2] ?? 0);
  if (branch === 0 || origin !== originOf(keys.base, branch)) return null;
  try {
    return { branch, signed: reader.checkpoint(note, branch) };
  } catch {
    return null; // signed by nobody known: anybody may write there
  }
}
