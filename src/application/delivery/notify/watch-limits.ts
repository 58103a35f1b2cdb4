import type { Logger } from '../ports.js';
import type { AlertStore } from './alert-ports.js';
import { endAlert, raiseAlert } from './raise-alert.js';

/** What waits to be started and is due. */
export interface Backlog {
  readonly events: number;
  /** Of the oldest one. */
  readonly lagSeconds: number;
}

export interface WatchLimitsDeps {
  readonly measure: () => Promise<Backlog>;
  readonly alerts: Pick<AlertStore, 'raise' | 'end' | 'endStale'>;
  readonly log: Logger;
}

/** 0: no limit. */
export interface Limits {
  readonly lagSeconds: number;
  readonly backlog: number;
}

/** Relays tell of starts that are refused, and none of them knows when the last one has stopped to. */
const REFUSALS_OVER_AFTER_MS = 120_000;
/** An event that meets it is dispatched again and meets it anew in less than six minutes: that is no recovery. */
const NOT_FOUND_OVER_AFTER_MS = 600_000;

/** One look at what waits, against its limits. Throws what the database throws. */
export async function watchLimits(deps: WatchLimitsDeps, limits: Limits): Promise<void> {
  try {
    await compare(deps, limits);
  } finally {
    // Whether or not it could be measured: these have nothing to do with it.
    await deps.alerts.endStale('relay_batch_failed', REFUSALS_OVER_AFTER_MS);
    await deps.alerts.endStale('event_not_found', NOT_FOUND_OVER_AFTER_MS);
  }
}

async function compare(deps: WatchLimitsDeps, limits: Limits): Promise<void> {
  const { events: backlog, lagSeconds } = await deps.measure();
  const lagging = limits.lagSeconds > 0 && lagSeconds > limits.lagSeconds;
  const lag = { kind: 'lag_over_limit', subject: '' } as const;
  if (lagging) await raiseAlert(deps, { ...lag, fields: { lagSeconds, limitSeconds: limits.lagSeconds } });
  else await endAlert(deps, lag);

  const waiting = { kind: 'backlog_over_limit', subject: '' } as const;
  if (limits.backlog > 0 && backlog > limits.backlog) {
    await raiseAlert(deps, { ...waiting, fields: { backlog, limit: limits.backlog } });
  } else {
    await endAlert(deps, waiting);
  }
}
