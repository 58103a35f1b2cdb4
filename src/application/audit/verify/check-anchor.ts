import type { AuditNote, BranchNote } from '../../../domain/audit/audit-note.js';
import { type Checkpoint, originOf } from '../../../domain/audit/checkpoint.js';
import { type Sha256, sameBytes } from '../../../domain/audit/merkle-hash.js';
import { createLogTree, type LogTree } from '../log/log-tree.js';
import { type Anchor, type AnchoredNote, type LeafStore, LogBrokenError } from '../log/ports.js';
import type { KnownKeys, NoteReader } from './open-notes.js';
import type { VerifyStore } from './ports.js';
import type { Findings } from './report.js';

/** What the anchor says besides checkpoints. Notes that nobody known has signed say nothing: anybody may write there. */
export async function readAnchoredNotes(
  anchor: Pick<Anchor, 'readAll'>,
  reader: NoteReader,
): Promise<{ readonly notes: readonly AuditNote[]; readonly unknown: number }> {
  const notes: AuditNote[] = [];
  let unknown = 0;
  for await (const { kind, note } of anchor.readAll()) {
    if (kind === 'checkpoint') continue;
    try {
      notes.push(reader.note(note, kind));
    } catch {
      unknown += 1;
    }
  }
  return { notes, unknown };
}

/** Whether a signed note accepts that a checkpoint is not of the tree any more. */
export function isLossAccepted(branches: readonly BranchNote[], branch: number, size: number): boolean {
  return branches.some((note) => branch < note.branch && size > note.kept.size && size <= note.lost.size);
}

export interface CheckAnchorDeps {
  readonly store: VerifyStore;
  readonly leaves: LeafStore;
  readonly sha256: Sha256;
  readonly reader: NoteReader;
  readonly findings: Findings;
  readonly keys: KnownKeys;
  readonly branches: readonly BranchNote[];
}

const AT_ONCE = 500;

/**
 * Every anchored checkpoint against the log; returns the greatest size that agrees. `signedTo`: up to where the stored
 * checkpoints were found to be the tree's, so that equal ones need no look at it.
 */
export async function checkAnchor(
  deps: CheckAnchorDeps,
  anchor: Pick<Anchor, 'readAll'>,
  { signedTo, from }: { readonly signedTo: number; readonly from: number },
): Promise<number> {
  const tree = createLogTree({ store: deps.leaves, sha256: deps.sha256 });
  let [agreed, truncated, forked] = [0, false, false];

  async function judge(batch: readonly { branch: number; signed: Checkpoint }[]): Promise<void> {
    const standing = await deps.store.findCheckpoints(
      batch.map(({ branch, signed }) => ({ branch, size: signed.size })),
    );
    const head = (await deps.store.readHead())?.size ?? 0;
    for (const { branch, signed } of batch) {
      const { size, root } = signed;
      if (size <= from) continue;
      const same = standing.some((row) => row.branch === branch && row.size === size && sameBytes(row.root, root));
      if (size <= head && ((same && size <= signedTo) || (await hasRoot(tree, size, root)))) {
        agreed = Math.max(agreed, size);
        continue;
      }
      if (isLossAccepted(deps.branches, branch, size)) continue;
      const index = size > head ? head : null;
      const kind = size > head ? ('truncated' as const) : ('root' as const);
      const named = kind === 'truncated' ? truncated : forked;
      const what =
        kind === 'truncated'
          ? `leaves ${head} to ${size - 1} are gone: the anchor has a checkpoint of size ${size}`
          : `expected the root that the anchor has for size ${size} of branch ${branch}`;
      if (named) deps.findings.count(kind, 1);
      else deps.findings.add({ kind, index, recordId: null, what });
      if (kind === 'truncated') truncated = true;
      else forked = true;
    }
  }

  const batch: { branch: number; signed: Checkpoint }[] = [];
  for await (const note of anchor.readAll()) {
    const read = readCheckpoint(deps, note);
    if (read !== null) batch.push(read);
    if (batch.length >= AT_ONCE) await judge(batch.splice(0));
  }
  await judge(batch);
  return agreed;
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

/** null: of another log, or signed by nobody known, and so no evidence of anything. */
function readCheckpoint(
  { reader, keys }: CheckAnchorDeps,
  { kind, origin, note }: AnchoredNote,
): { branch: number; signed: Checkpoint } | null {
  if (kind !== 'checkpoint') return null;
  const branch = origin === keys.base ? 1 : Number(/^(.*)\/([1-9]\d{0,8})$/.exec(origin)?.[2] ?? 0);
  if (branch === 0 || origin !== originOf(keys.base, branch)) return null;
  try {
    return { branch, signed: reader.checkpoint(note, branch) };
  } catch {
    return null;
  }
}
