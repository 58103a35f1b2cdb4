/** What `outbox doctor` finds: for each check what it saw, and what to do where that is not as it should be. */

/** Every check, in the order in which they are told. docs/doctor.md says of each what it means (a test compares). */
export const CHECKS = [
  'reach.outbox',
  'reach.audit',
  'reach.temporal',
  'reach.audit-api',
  'reach.temporal-ui',
  'settings',
  'connections',
  'schema.migrations',
  'schema.drift',
  'schema.index',
  'rights',
  'processes',
  'temporal.pollers',
  'temporal.versions',
  'temporal.retention',
  'clock',
  'snapshots',
  'autovacuum',
  'bloat',
  'reconciler',
  'books',
  'retention',
  'letters',
  'jobs',
  'notices',
  'seal',
  'partitions',
  'verification',
] as const;
export type Check = (typeof CHECKS)[number];

/**
 * `warning`: works, and will not for ever, or not as somebody may think. `wrong`: does not work as it should. `unknown`: could
 * not be looked at, which is never `ok`.
 */
export type FindingState = 'ok' | 'warning' | 'wrong' | 'unknown';

export interface Finding {
  readonly id: Check;
  readonly state: FindingState;
  /** A sentence without a full stop. Names in it are others' text: escape it. */
  readonly detail: string;
  /** null: nothing. */
  readonly todo: string | null;
  /** Wrong only because what it looks at does not answer now: the same may be well a moment later. */
  readonly away: boolean;
}

export function ok(id: Check, detail: string): Finding {
  return { id, state: 'ok', detail, todo: null, away: false };
}

export function warning(id: Check, detail: string, todo: string): Finding {
  return { id, state: 'warning', detail, todo, away: false };
}

export function wrong(id: Check, detail: string, todo: string): Finding {
  return { id, state: 'wrong', detail, todo, away: false };
}

export function away(id: Check, detail: string, todo: string): Finding {
  return { id, state: 'wrong', detail, todo, away: true };
}

export function unknown(id: Check, detail: string, todo: string | null = null): Finding {
  return { id, state: 'unknown', detail, todo, away: false };
}

/** `found`, or that all is well where nothing was found. */
export function orOk(found: readonly Finding[], id: Check, detail: string): readonly Finding[] {
  return found.length === 0 ? [ok(id, detail)] : found;
}

/** In the order of `CHECKS`. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => CHECKS.indexOf(a.id) - CHECKS.indexOf(b.id));
}

/**
 * What all of it comes to. `failed`: something has to be mended (`strict`: warnings count as well). `unavailable`: nothing
 * else than that something does not answer, or could not be looked at. `done` otherwise.
 */
export function verdictOf(findings: readonly Finding[], strict: boolean): 'done' | 'failed' | 'unavailable' {
  const bad = findings.some(({ state, away: gone }) => (state === 'wrong' && !gone) || (strict && state === 'warning'));
  if (bad) return 'failed';
  return findings.some(({ state }) => state === 'wrong' || state === 'unknown') ? 'unavailable' : 'done';
}
