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
    const { points, stored, anchored } = await readKnown({ checkpoints, anchor, keys });
    const agrees = async (point: BranchPoint) => (await findDisagreement(tree, size, point, 'it')) === null;

    // The branch that the checkpointer believes in, and any that the anchor alone still knows of.
    const own = stored.at(-1)?.branch ?? 1;
    const lost = await newestOfLost(
      points.filter(({ branch }) => branch >= own),
      agrees,
    );
    if (lost === null) return { kind: 'nothing_lost', checkpoints: points.length };
    const branch = Math.max(own, anchored.at(-1)?.branch ?? 1) + 1;
    let kept: BranchPoint = { branch: own, size: 0, root: emptyRoot(NOTE_TOOLS.sha256) };
    for (const point of points) {
      if (!(await agrees(point))) continue;
      kept = point;
      break;
    }
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

/** Of the latest branch that does not fit the newest point, by size; null where every one fits. Points: the greatest first. */
async function newestOfLost(
  points: readonly BranchPoint[],
  agrees: (point: BranchPoint) => Promise<boolean>,
): Promise<BranchPoint | null> {
  let branch = 0;
  for (const point of points) {
    if (point.branch > branch && !(await agrees(point))) branch = point.branch;
  }
  return points.find((point) => point.branch === branch) ?? null;
}

/** Everything signed that database and anchor hold, as far as a known key signed it; points the greatest size first. */
async function readKnown({
  checkpoints,
  anchor,
  keys,
}: Pick<AdoptLossDeps, 'checkpoints' | 'anchor' | 'keys'>): Promise<{
  points: BranchPoint[];
  stored: readonly BranchNote[];
  anchored: readonly BranchNote[];
}> {
  const points: BranchPoint[] = [];
  const add = (branch: number | null, note: string) => {
    const point = branch === null ? null : openCheckpoint(keys, branch, note);
    if (branch !== null && point !== null) points.push({ branch, size: point.size, root: point.root });
  };
  const notes: string[] = [];
  for (const { branch, note } of await checkpoints.list()) add(branch, note);
  for await (const { kind, origin, note } of anchor?.readAll() ?? []) {
    if (kind === 'checkpoint') add(branchOf(keys.base, origin), note);
    else if (kind === 'branch') notes.push(note);
  }
  const stored = openBranchNotes(keys, await checkpoints.readNotes('branch'));
  const anchored = openBranchNotes(keys, notes);
  // What a branch has kept must be there as its checkpoints must.
  points.push(...[...stored, ...anchored].map(({ branch, kept }) => ({ ...kept, branch })));
  return { points: points.sort((a, b) => b.size - a.size), stored, anchored };
}
