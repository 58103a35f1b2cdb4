import { type BranchNote, type BranchPoint, formatAuditNote } from '../../../domain/audit/audit-note.js';
import { emptyRoot } from '../../../domain/audit/merkle-hash.js';
import { signNote } from '../../../domain/audit/signed-note.js';
import { branchOf, type LogKeys, openBranchNotes, openCheckpoint } from './log-keys.js';
import type { LogTree } from './log-tree.js';
import { NOTE_TOOLS } from './note-tools.js';
import type { Anchor, CheckpointStore, LeafStore } from './ports.js';
import { findDisagreement } from './write-checkpoint.js';

export interface AdoptLossDeps {
  readonly leaves: LeafStore;
  readonly tree: LogTree;
  readonly checkpoints: CheckpointStore;
  readonly anchor: Anchor | null;
  readonly keys: LogKeys;
}

export interface AdoptLossRequest {
  /** Of the note, a UUIDv7. */
  readonly id: string;
  readonly now: Date;
  /** 1 to 200 characters on one line. */
  readonly by: string;
  /** 1 to 1,000 characters on one line. */
  readonly reason: string;
}

export type AdoptLossOutcome =
  | { readonly kind: 'adopted'; readonly note: BranchNote }
  /** Every checkpoint that is known is of this very tree. Nothing was signed. */
  | { readonly kind: 'nothing_lost'; readonly checkpoints: number };

export type AdoptLoss = (request: AdoptLossRequest) => Promise<AdoptLossOutcome>;

/**
 * A person's word that a visible loss is accepted: a signed note begins a new branch, whose checkpoints have a name of
 * their own. Never done by itself, for whoever truncated the log would wish for nothing else. The note goes to the anchor
 * before the database; again after a crash in between, another branch begins, which does no harm. Throws
 * StoreUnavailableError, AnchorUnavailableError, and AuditNoteError for words that fit on no line.
 */
export function adoptLoss({ leaves, tree, checkpoints, anchor, keys }: AdoptLossDeps): AdoptLoss {
  return async ({ id, now, by, reason }) => {
    const size = await leaves.readSize();
    const stored = openBranchNotes(keys, await checkpoints.readNotes('branch'));
    // The branch that the checkpointer believes in, and any that the anchor alone still knows of.
    const own = stored.at(-1)?.branch ?? 1;
    const agrees = async (point: BranchPoint) => (await findDisagreement(tree, size, point, 'it')) === null;
    const sift = siftPoints({ branch: own, size: 0, root: emptyRoot(NOTE_TOOLS.sha256) }, agrees);

    const addCheckpoint = async (branch: number | null, note: string) => {
      const point = branch === null ? null : openCheckpoint(keys, branch, note);
      if (branch !== null && point !== null) await sift.add({ branch, size: point.size, root: point.root });
    };
    for await (const { branch, note } of checkpoints.list()) await addCheckpoint(branch, note);
    const notes: string[] = [];
    for await (const { kind, origin, note } of anchor?.readAll() ?? []) {
      if (kind === 'checkpoint') await addCheckpoint(branchOf(keys.base, origin), note);
      else if (kind === 'branch') notes.push(note);
    }
    const anchored = openBranchNotes(keys, notes);
    // What a branch has kept must be there as its checkpoints must.
    for (const { branch, kept } of [...stored, ...anchored]) await sift.add({ ...kept, branch });

    const { lost, kept, seen } = sift.result();
    if (lost === null) return { kind: 'nothing_lost', checkpoints: seen };
    const branch = Math.max(own, anchored.at(-1)?.branch ?? 1) + 1;
    const note: BranchNote = {
      kind: 'branch',
      log: keys.base,
      time: now.toISOString(),
      by,
      reason,
      branch,
      kept,
      lost,
    };
    const signed = signNote(NOTE_TOOLS, formatAuditNote(note), keys.signers);
    await anchor?.put({ kind: 'branch', origin: keys.base, size: 0, note: signed });
    await checkpoints.insertNote(id, 'branch', signed);
    return { kind: 'adopted', note };
  };
}

interface Sifted {
  /** Of the latest branch, from the one begun with on, that has a point that does not fit, its newest; null: all fit. */
  readonly lost: BranchPoint | null;
  /** The newest point that fits; what was begun with where none does. */
  readonly kept: BranchPoint;
  readonly seen: number;
}

/** Points one by one, in any order: there may be millions, of which two for each branch are kept. */
function siftPoints(begin: BranchPoint, agrees: (point: BranchPoint) => Promise<boolean>) {
  const newest = new Map<number, BranchPoint>();
  let [kept, lostBranch, seen] = [begin, 0, 0];
  return {
    async add(point: BranchPoint): Promise<void> {
      const { branch, size } = point;
      seen += 1;
      if (size > (newest.get(branch)?.size ?? -1)) newest.set(branch, point);
      const mayBeLost = branch >= begin.branch && branch > lostBranch;
      if (!mayBeLost && size <= kept.size) return;
      if (!(await agrees(point))) lostBranch = mayBeLost ? branch : lostBranch;
      else if (size > kept.size) kept = point;
    },
    result: (): Sifted => ({ lost: newest.get(lostBranch) ?? null, kept, seen }),
  };
}
