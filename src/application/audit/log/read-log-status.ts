import { type LogKeys, openCheckpoint } from './log-keys.js';
import type { CheckpointStore, LagStore, OldestTransaction } from './ports.js';

export interface ReadLogStatusDeps {
  readonly lag: LagStore;
  readonly checkpoints: Pick<CheckpointStore, 'readNewest'>;
  /** null: none are configured here, and no signature can be looked at. */
  readonly keys: LogKeys | null;
  /** Between two checkpoints of a log that grows, as the setting says here. */
  readonly checkpointMs: number;
}

export interface LogStatus {
  /** Leaves sealed. */
  readonly size: number;
  readonly unsealed: { readonly count: number; readonly countedUpTo: number; readonly oldestSeconds: number | null };
  readonly checkpoint: {
    readonly branch: number;
    readonly size: number;
    readonly ageSeconds: number;
    readonly anchor: string | null;
    /** Whether a key known here signed it; null: no keys are known here. */
    readonly signed: boolean | null;
  } | null;
  /** Leaves that are sealed and that no checkpoint covers. `late`: the oldest of them for longer than signing takes. */
  readonly unsigned: { readonly oldestSeconds: number | null; readonly late: boolean };
  /** Whether any checkpoint was ever anchored. */
  readonly everAnchored: boolean;
  /** Who holds up the sealing; null where nobody does for long. */
  readonly heldBy: OldestTransaction | null;
}

export type ReadLogStatus = () => Promise<LogStatus>;

/** Records older than this are sealed, unless something holds up. */
const STALLED_AFTER_SECONDS = 10;
/** Three checkpoints that did not come, and no less than this: a worker that starts anew is no news. */
const UNSIGNED_AFTER_SECONDS = 600;
const CHECKPOINTS_MISSED = 3;

/** How far sealing and signing have come, and who holds them up. Throws StoreUnavailableError. */
export function readLogStatus({ lag, checkpoints, keys, checkpointMs }: ReadLogStatusDeps): ReadLogStatus {
  const lateAfterSeconds = Math.max(UNSIGNED_AFTER_SECONDS, (CHECKPOINTS_MISSED * checkpointMs) / 1_000);
  return async () => {
    const read = await lag.readLag();
    const { size, unsealed, countedUpTo, oldestUnsealedAt, oldestUnsignedAt, everAnchored, now } = read;
    const newest = await checkpoints.readNewest();
    const secondsSince = (at: Date) => Math.max(0, Math.round((now.getTime() - at.getTime()) / 1_000));
    const oldestSeconds = oldestUnsealedAt === null ? null : secondsSince(oldestUnsealedAt);
    const unsignedSeconds = oldestUnsignedAt === null ? null : secondsSince(oldestUnsignedAt);
    const stalled = oldestSeconds !== null && oldestSeconds >= STALLED_AFTER_SECONDS;
    return {
      size,
      unsealed: { count: unsealed, countedUpTo, oldestSeconds },
      checkpoint:
        newest === null
          ? null
          : {
              branch: newest.branch,
              size: newest.size,
              ageSeconds: secondsSince(newest.createdAt),
              anchor: newest.anchor,
              signed: keys === null ? null : openCheckpoint(keys, newest.branch, newest.note) !== null,
            },
      unsigned: {
        oldestSeconds: unsignedSeconds,
        late: unsignedSeconds !== null && unsignedSeconds >= lateAfterSeconds,
      },
      everAnchored,
      heldBy: stalled ? await lag.readOldestTransaction() : null,
    };
  };
}

/** What is not as it should be, for people: empty when all is well. What was never set up is for `findLogNotes`. */
export function findLogTrouble(status: LogStatus): string[] {
  const { unsealed, unsigned, everAnchored, checkpoint, size, heldBy } = status;
  const trouble: string[] = [];
  if ((unsealed.oldestSeconds ?? 0) >= STALLED_AFTER_SECONDS) {
    trouble.push(`${countOf(unsealed)} records are not sealed, the oldest for ${unsealed.oldestSeconds} s`);
    if (heldBy !== null) trouble.push(`held up by ${describeHolder(heldBy)}`);
  }
  if (size > 0 && checkpoint === null) trouble.push('nothing is signed yet');
  if (checkpoint?.signed === false) trouble.push('the newest checkpoint is signed by no known key');
  if (checkpoint !== null && unsigned.late) {
    const covers = `the newest checkpoint covers ${checkpoint.size} of ${size}`;
    trouble.push(
      `nothing is signed any more: ${covers}, and the next record has been sealed for ${unsigned.oldestSeconds} s`,
    );
  }
  if (checkpoint !== null && checkpoint.anchor === null && everAnchored) {
    trouble.push('the newest checkpoint is not anchored, and older ones are');
  }
  return trouble;
}

/** What is as it was set up, and protects less than it could: said beside the rest, and no reason to look. */
export function findLogNotes({ checkpoint, everAnchored }: LogStatus): string[] {
  if (checkpoint === null || everAnchored) return [];
  return ['no checkpoint was ever anchored: who owns the database and the keys can rewrite the log unseen'];
}

export function countOf({ count, countedUpTo }: LogStatus['unsealed']): string {
  return count >= countedUpTo ? `${countedUpTo} or more` : String(count);
}

export function describeHolder(holder: OldestTransaction): string {
  const { kind, id, user, database, application, state, since } = holder;
  const who = [user, database, application === '' ? null : application].filter((part) => part !== null).join(', ');
  if (kind === 'prepared')
    return `the prepared transaction ${JSON.stringify(id)} (${who}) since ${since?.toISOString()}`;
  const what =
    state === null
      ? 'what it does is not permitted to see; GRANT pg_read_all_stats TO the role of AUDIT_DATABASE_URL'
      : `${state}${since === null ? '' : ` since ${since.toISOString()}`}`;
  return `the transaction of session ${id} (${who}): ${what}`;
}
