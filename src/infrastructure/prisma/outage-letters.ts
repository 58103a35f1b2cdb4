import { OUTAGE_CODES, STOPPED_BY_TIME } from '../../domain/delivery/weigh-outcome.js';

/** A letter's own time and the breaker's come from statements of different workers. */
const BEFORE = "interval '5 seconds'";
/** Where the end of an attempt was not written, its letter has the time at which that was: later, on a worker that has much to do. */
const AFTER = "interval '30 seconds'";

/**
 * The status that the last attempt of a letter (an alias of outbox.dead_letter) was answered with. One of before these columns, closed
 * or written by an older worker, knows only its response.
 */
export function lastStatus(letter: string): string {
  return `CASE WHEN ${letter}.last_code IS NULL THEN (${letter}.response->>'status')::integer ELSE ${letter}.last_status END`;
}

/**
 * Whether a dead letter (an alias of outbox.dead_letter) was made by an outage (an alias of outbox.outage): of its
 * destination, ended between its first failure and its close, by a code that counts as a failure of the destination. Where
 * the policy's deadline ended it, the last attempt says what it met; a person who terminated it meant that (R22).
 */
export function madeByOutage(letter: string, outage: string): string {
  const met = `CASE ${letter}.code WHEN '${STOPPED_BY_TIME}' THEN ${letter}.last_code ELSE ${letter}.code END`;
  const codes = OUTAGE_CODES.map(({ code, status }) => {
    const named = `${met} = '${code}'`;
    return status === null ? named : `(${named} AND ${lastStatus(letter)} = ${status})`;
  });
  return `(${letter}.destination = ${outage}.destination
    AND ${letter}.last_failed_at >= ${outage}.first_failure_at - ${BEFORE}
    AND ${letter}.last_failed_at <= coalesce(${outage}.closed_at, 'infinity') + ${AFTER} AND (${codes.join(' OR ')}))`;
}

/** For a filter of letters: those that one outage made, by its id (a parameter), which `outbox destinations list` shows. */
export function ofOutage(letter: string, id: string): string {
  return `EXISTS (SELECT FROM outbox.outage made_by WHERE made_by.id = ${id}::uuid AND ${madeByOutage(letter, 'made_by')})`;
}

/** The id of a destination's latest outage, for `--outage DESTINATION`. $1 destination. */
export const LATEST_OUTAGE =
  'SELECT id FROM outbox.outage WHERE destination = $1::text ORDER BY opened_at DESC LIMIT 1';
