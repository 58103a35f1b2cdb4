import type { SealRecords } from './seal-records.js';
import type { LogAlert, WriteCheckpoint } from './write-checkpoint.js';

export interface KeepLogDeps {
  readonly seal: SealRecords;
  /** null: there are no keys, so that records are sealed and nothing is signed. */
  readonly checkpoint: WriteCheckpoint | null;
  /** Between two checkpoints of a log that grows. */
  readonly checkpointMs: number;
  /** Of a clock that only goes forward, milliseconds. */
  readonly now: () => number;
  readonly log: {
    debug(fields: object, message: string): void;
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

export interface LogKeeper {
  /** One turn: seal what can be sealed, then sign where that is due. Throws StoreUnavailableError. */
  turn(signal: AbortSignal): Promise<void>;
  /** Why nothing is signed at the moment, as far as this process has seen. */
  alert(): LogAlert | null;
}

/** An alert that goes on must not look, in today's log, like one that is over. */
const TOLD_AGAIN_AFTER_MS = 600_000;

/** The duty of the audit log's side. The caller holds its lease, which saves work and keeps nothing from going wrong. */
export function keepLog({ seal, checkpoint, checkpointMs, now, log }: KeepLogDeps): LogKeeper {
  let nextAt = Number.NEGATIVE_INFINITY;
  let alert: LogAlert | null = null;
  let toldAt = Number.NEGATIVE_INFINITY;

  function tell(found: LogAlert | null): void {
    if (found !== null && (found.code !== alert?.code || now() - toldAt >= TOLD_AGAIN_AFTER_MS)) {
      log.error({ event: 'audit_log.alert', code: found.code }, found.message);
      toldAt = now();
    }
    if (found === null && alert !== null) {
      log.info({ event: 'audit_log.alert_over', code: alert.code }, 'the log is signed again');
    }
    alert = found;
  }

  return {
    async turn(signal) {
      const sealed = await seal(signal);
      if (sealed > 0) log.debug({ event: 'audit_log.sealed', records: sealed }, 'records were sealed');
      if (checkpoint === null || signal.aborted || now() < nextAt) return;
      nextAt = now() + checkpointMs; // also after one that fails
      const outcome = await checkpoint();
      tell(outcome.kind === 'refused' ? outcome.alert : null);
      if (outcome.kind === 'written' && outcome.anchorWasBehind) {
        log.warn(
          { event: 'audit_log.anchor_behind', size: outcome.size },
          'the anchor lacked the newest checkpoint; it was put there again',
        );
      }
    },
    alert: () => alert,
  };
}
