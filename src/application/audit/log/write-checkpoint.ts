import type { BranchPoint } from '../../../domain/audit/audit-note.js';
import { originOf } from '../../../domain/audit/checkpoint.js';
import { sameBytes } from '../../../domain/audit/merkle-hash.js';
import { fillTiles } from './fill-tiles.js';
import { type LogKeys, openBranchNotes, openCheckpoint, readCheckpoint, signCheckpoint } from './log-keys.js';
import { createLogTree, type LogTree } from './log-tree.js';
import { NOTE_TOOLS } from './note-tools.js';
import {
  type Anchor,
  AnchorUnavailableError,
  type CheckpointStore,
  type LeafStore,
  LogBrokenError,
  type StoredCheckpoint,
} from './ports.js';

export interface WriteCheckpointDeps {
  readonly leaves: LeafStore;
  readonly checkpoints: CheckpointStore;
  /** null: none is configured, and checkpoints prove nothing to whoever doubts the database's owner. */
  readonly anchor: Anchor | null;
  readonly keys: LogKeys;
}

/**
 * Why nothing was signed.
 * - `anchor_ahead`: a checkpoint is larger than the log. The log may still catch up, where sealed runs were lost and their
 *   records were not; else it will be `log_forked`.
 * - `log_forked`: a checkpoint's root is not the log's at that size: what was sealed was changed, or lost.
 * - `log_broken`: sealed leaves are missing in its middle.
 * - `unknown_signature`: the newest checkpoint is signed by no key that is known here.
 * - `other_log`: the database's checkpoints are those of a log with another name.
 * - `anchor_away`: the anchor does not answer.
 */
export type LogAlertCode =
  | 'anchor_ahead'
  | 'log_forked'
  | 'log_broken'
  | 'unknown_signature'
  | 'other_log'
  | 'anchor_away';

export interface LogAlert {
  readonly code: LogAlertCode;
  /** What was expected, what came, how to mend it. */
  readonly message: string;
}

export type CheckpointOutcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'written'; readonly branch: number; readonly size: number; readonly anchorWasBehind: boolean }
  | { readonly kind: 'refused'; readonly alert: LogAlert };

export type WriteCheckpoint = () => Promise<CheckpointOutcome>;

/**
 * Signs the log's size and root where it has grown: by every key, then to the anchor, then into the database, so that a
 * stored checkpoint is an anchored one. Nothing is ever signed beside what was signed before: the newest checkpoint here
 * and at the anchor must be of this very tree. A crash at any point is mended by the next call. Throws
 * StoreUnavailableError.
 */
export function writeCheckpoint(deps: WriteCheckpointDeps): WriteCheckpoint {
  return async () => {
    try {
      return await write(deps);
    } catch (error) {
      if (error instanceof LogBrokenError) return refuse('log_broken', `${error.message}; nothing is signed`);
      if (!(error instanceof AnchorUnavailableError)) throw error;
      const reason = error.cause instanceof Error ? error.cause.message : String(error.cause);
      const message = `${error.message}: ${reason}. Sealing goes on; the next checkpoint waits for it`;
      return { kind: 'refused', alert: { code: 'anchor_away', message } };
    }
  };
}

async function write(deps: WriteCheckpointDeps): Promise<CheckpointOutcome> {
  const { leaves, checkpoints, anchor, keys } = deps;
  // Anew each time: nothing that this process remembers of a log that was restored under it must be signed.
  const tree = createLogTree({ store: leaves, sha256: NOTE_TOOLS.sha256 });
  const size = await leaves.readSize();
  await fillTiles({ store: leaves, sha256: NOTE_TOOLS.sha256 }, size);

  const last = await checkpoints.readNewest();
  const lastOrigin = last === null ? null : readCheckpoint(last.note)?.origin;
  if (last !== null && lastOrigin !== originOf(keys.base, last.branch)) {
    return refuse(
      'other_log',
      `expected checkpoints of ${keys.base}, found one of ${lastOrigin ?? 'no log at all'}; give the log its name back (AUDIT_LOG_ORIGIN)`,
    );
  }
  const branchNote = openBranchNotes(keys, await checkpoints.readNotes('branch')).at(-1) ?? null;
  const branch = branchNote?.branch ?? 1;
  const origin = originOf(keys.base, branch);
  const stored = await checkpoints.readNewest(branch);
  const anchored = (await anchor?.newest(origin)) ?? null;

  for (const [where, newest] of [
    ['the database', stored],
    [anchor?.name, anchored],
  ] as const) {
    if (newest === null) continue;
    const point = openCheckpoint(keys, branch, newest.note);
    if (point?.size !== newest.size) {
      return refuse(
        'unknown_signature',
        `the newest checkpoint in ${where} is not signed for ${origin} by any known key; where the keys were changed, add the old public ones to AUDIT_VERIFIER_KEYS`,
      );
    }
    const alert = await findDisagreement(tree, size, point, `the newest checkpoint in ${where}`);
    if (alert !== null) return { kind: 'refused', alert };
  }
  if (branchNote !== null) {
    const alert = await findDisagreement(tree, size, branchNote.kept, `what branch ${branch} has kept`);
    if (alert !== null) return { kind: 'refused', alert };
  }
  return sign(deps, tree, { branch, size, stored, anchored });
}

/** The guard of every signature. null: the point is of this very tree. */
export async function findDisagreement(
  tree: LogTree,
  size: number,
  point: Pick<BranchPoint, 'size' | 'root'>,
  what: string,
): Promise<LogAlert | null> {
  if (point.size > size) {
    return {
      code: 'anchor_ahead',
      message: `the log has ${size} leaves, and ${what} has ${point.size}; nothing is signed until it has caught up. Where records are lost for good: outbox audit adopt --lost`,
    };
  }
  if (sameBytes(await tree.root(point.size), point.root)) return null;
  return {
    code: 'log_forked',
    message: `the root of the first ${point.size} leaves is not that of ${what}; nothing is signed. outbox audit verify names what was changed; where it is a loss to be accepted: outbox audit adopt --lost`,
  };
}

interface Standing {
  readonly branch: number;
  readonly size: number;
  readonly stored: StoredCheckpoint | null;
  readonly anchored: { readonly note: string; readonly size: number } | null;
}

async function sign(
  { checkpoints, anchor, keys }: WriteCheckpointDeps,
  tree: LogTree,
  { branch, size, stored, anchored }: Standing,
): Promise<CheckpointOutcome> {
  const storedSize = stored?.size ?? 0;
  const anchoredSize = anchored?.size ?? 0;
  if (anchored !== null && anchoredSize > storedSize) {
    // A crash between the two: it was signed and shown, so it is taken as it is.
    const root = await tree.root(anchoredSize);
    await checkpoints.insert({ branch, size: anchoredSize, root, note: anchored.note, anchor: anchor?.name ?? null });
    return { kind: 'written', branch, size: anchoredSize, anchorWasBehind: false };
  }
  const put = async (note: string, of: number) =>
    anchor?.put({ kind: 'checkpoint', origin: originOf(keys.base, branch), size: of, note });
  // New, emptied or put back: it gets what it should hold before anything newer.
  const anchorWasBehind = anchor !== null && stored !== null && anchoredSize < storedSize;
  if (anchorWasBehind) await put(stored.note, stored.size);
  if (size === storedSize) {
    return anchorWasBehind ? { kind: 'written', branch, size, anchorWasBehind } : { kind: 'unchanged' };
  }
  const root = await tree.root(size);
  const note = signCheckpoint(keys, branch, { size, root });
  await put(note, size);
  await checkpoints.insert({ branch, size, root, note, anchor: anchor?.name ?? null });
  return { kind: 'written', branch, size, anchorWasBehind };
}

function refuse(code: LogAlertCode, message: string): CheckpointOutcome {
  return { kind: 'refused', alert: { code, message } };
}
