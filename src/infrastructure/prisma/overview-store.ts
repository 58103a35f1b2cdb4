/** What the overview asks of the outbox database. Each statement is bounded by what it counts, whatever stands behind that. */
import type { LatestDeliveries, OverviewStore, StandingAlert } from '../../application/delivery/monitor/ports.js';
import { OVERVIEW_BOUNDS } from '../../contract/overview-api.js';
import { measureBacklog } from './measure-backlog.js';
import { CARRIED, destinationsOf, type OpenKind, RUNNING } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** Above the deadline of a part, so that a slow answer is the next one's last value instead of none. */
const TIMEOUT_MS = 3_000;
const MOST_DESTINATIONS = 256;
/** Runs that are asked whether an attempt of theirs has failed, of all destinations together. */
const MOST_ASKED = 3 * OVERVIEW_BOUNDS.open;
/** How far back a rate of now looks. */
const LATEST_SECONDS = 60;

export function createOverviewStore(pool: PgPool): OverviewStore {
  const run = async <Row extends object>(name: string, text: string): Promise<Row[]> =>
    runStatement<Row>(pool, { name: `overview_${name}`, text, timeoutMs: TIMEOUT_MS });
  /** Of a statement that aggregates all: it has one row. */
  const one = async <Row extends object>(name: string, text: string): Promise<Row> =>
    (await run<Row>(name, text))[0] as Row;
  return {
    async ping() {
      await run('ping', 'SELECT FROM outbox.deployment LIMIT 0');
    },
    measureBacklog: () => measureBacklog(pool),
    readLatest: async () => toLatest(await one<LatestRow>('latest', LATEST)),
    countRuns: () => one('runs', RUNS),
    countLetters: () => one('letters', LETTERS),
    listAlerts: () => run<StandingAlert>('alerts', ALERTS),
    countBooks: () => one('books', BOOKS),
  };
}

const rfc3339 = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The index is read backward; which events they are of is looked up one by one, as in `COUNT_MINUTE`. */
export const LATEST = `
WITH latest AS MATERIALIZED (
  SELECT d.event_id, d.destination, d.event_type, d.tenant, d.settled_at FROM outbox.delivery d
  WHERE d.settled_at > statement_timestamp() - interval '${LATEST_SECONDS} seconds' AND d.status = 'DELIVERED'
  ORDER BY d.settled_at DESC LIMIT ${OVERVIEW_BOUNDS.sample}
), timed AS MATERIALIZED (
  SELECT l.settled_at,
    (extract(epoch FROM l.settled_at - (SELECT e.recorded_at FROM outbox.event e WHERE e.id = l.event_id)) * 1000)::float8 AS ms
  FROM latest l
), names AS (
  SELECT v.dimension, v.name, count(*)::integer AS delivered,
    row_number() OVER (PARTITION BY v.dimension ORDER BY count(*) DESC, v.name) AS place
  FROM latest l CROSS JOIN LATERAL (VALUES
    ('destination', l.destination), ('event_type', l.event_type), ('tenant', l.tenant)) AS v(dimension, name)
  GROUP BY v.dimension, v.name
)
SELECT count(*)::integer AS delivered,
  CASE WHEN count(*) < ${OVERVIEW_BOUNDS.sample} THEN ${LATEST_SECONDS}
    ELSE greatest(0.001, extract(epoch FROM statement_timestamp() - min(t.settled_at))) END::float8 AS over_seconds,
  percentile_disc('{0.5,0.95,0.99}'::float8[]) WITHIN GROUP (ORDER BY t.ms) AS percentiles,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('dimension', n.dimension, 'name', n.name, 'delivered', n.delivered)
     ORDER BY n.place), '[]') FROM names n WHERE n.place <= ${OVERVIEW_BOUNDS.names}) AS names
FROM timed t`;

interface LatestRow {
  readonly delivered: number;
  readonly over_seconds: number;
  readonly percentiles: readonly (number | null)[] | null;
  readonly names: readonly {
    readonly dimension: 'destination' | 'event_type' | 'tenant';
    readonly name: string;
    readonly delivered: number;
  }[];
}

function toLatest({ delivered, over_seconds: overSeconds, percentiles, names }: LatestRow): LatestDeliveries {
  const [p50Ms = null, p95Ms = null, p99Ms = null] = percentiles ?? [];
  const of = (wanted: string) =>
    names
      .filter(({ dimension }) => dimension === wanted)
      .map(({ name, delivered: ofName }) => ({ name, delivered: ofName }));
  return {
    delivered,
    overSeconds,
    p50Ms,
    p95Ms,
    p99Ms,
    byDestination: of('destination'),
    byEventType: of('event_type'),
    byTenant: of('tenant'),
  };
}

/** Rows of one kind, of each destination as many as are counted, in the order of its index, or backward. */
const someOf = (name: string, { rows, key }: OpenKind, columns: string, order: 'ASC' | 'DESC') => `${name} k
  CROSS JOIN LATERAL (
    SELECT ${columns} FROM outbox.delivery d WHERE ${rows} AND d.destination = k.destination
    ORDER BY ${Object.keys(key)
      .map((column) => `d.${column} ${order}`)
      .join(', ')} LIMIT ${OVERVIEW_BOUNDS.open}) r`;

/**
 * Retrying: an attempt of this budget has failed. Of a batch's events none has: one that fails falls out. Asked by a query for
 * each run, since as a condition with EXISTS the planner might read every attempt. Those that are due last are asked: a run in
 * its backoff is due later than one whose first attempt is under way, so where not all can be asked most of them are found.
 */
export const RUNS = `
WITH RECURSIVE ${destinationsOf('running', RUNNING, MOST_DESTINATIONS)},
${destinationsOf('carried', CARRIED, MOST_DESTINATIONS)},
counted AS MATERIALIZED (
  SELECT coalesce(sum(n), 0)::integer AS runs, coalesce(max(n), 0) AS most FROM (
    SELECT count(*) AS n FROM ${someOf('running', RUNNING, '', 'ASC')} GROUP BY k.destination) by_destination
)
SELECT c.runs + (SELECT count(*) FROM ${someOf('carried', CARRIED, '', 'ASC')})::integer AS "inFlight",
  (SELECT count(*) FROM (
    SELECT r.* FROM ${someOf('running', RUNNING, 'd.event_id, d.budget_epoch, d.epoch', 'DESC')} LIMIT ${MOST_ASKED}) a
   WHERE (SELECT true FROM outbox.delivery_attempt t WHERE t.event_id = a.event_id
     AND t.epoch BETWEEN a.budget_epoch AND a.epoch AND t.code IS NOT NULL LIMIT 1))::integer AS retrying,
  c.most >= ${OVERVIEW_BOUNDS.open} OR c.runs > ${MOST_ASKED} AS "retryingAtLeast"
FROM counted c`;

export const LETTERS = `
SELECT count(*)::integer AS open, ${rfc3339('min(l.created_at)')} AS "oldestAt" FROM (
  SELECT created_at FROM outbox.dead_letter WHERE state = 'open' ORDER BY created_at LIMIT ${OVERVIEW_BOUNDS.letters}) l`;

const ALERTS = `
SELECT a.kind, a.subject, a.fields, ${rfc3339('a.since')} AS since, ${rfc3339('a.last_at')} AS "lastAt",
  least(a.times, 2147483647)::integer AS times
FROM outbox.alert a WHERE a.over_at IS NULL ORDER BY a.since, a.kind, a.subject LIMIT ${OVERVIEW_BOUNDS.alerts}`;

/** A relay looks at once when a look is due: what has waited longer than this is worked off slowly, or by nobody. */
const BOOKS_LATE = "interval '2 hours'";

/**
 * A row an hour: the table is small. Late is a look that is due, or an hour that nobody has opened, which is due 70 minutes
 * after it began: the one behind the last that was, or that of the first event.
 */
export const BOOKS = `
SELECT s.hours, s.with_gaps AS "withGaps", ${rfc3339('s.oldest_gap')} AS "oldestGap", ${rfc3339('s.checked_at')} AS "checkedAt",
  ${rfc3339(`CASE WHEN d.due < statement_timestamp() - ${BOOKS_LATE} THEN d.due END`)} AS "lateSince", s.waits_for AS "waitsFor"
FROM (
  SELECT count(*) FILTER (WHERE b.checked_at IS NOT NULL)::integer AS hours,
    count(*) FILTER (WHERE b.gap_count > 0)::integer AS with_gaps, min(b.hour) FILTER (WHERE b.gap_count > 0) AS oldest_gap,
    max(b.checked_at) AS checked_at, min(b.again_at) AS again_at, max(b.hour) AS last, min(b.look->>'waitsFor') AS waits_for
  FROM outbox.book_check b
) s CROSS JOIN LATERAL (
  SELECT least(s.again_at, interval '70 minutes' + coalesce(s.last + interval '1 hour',
    (SELECT date_trunc('hour', e.recorded_at, 'UTC') FROM outbox.event e ORDER BY e.recorded_at LIMIT 1))) AS due
) d`;
