import pg from 'pg';
import type { BacklogStore, Claim, ClaimedEvent, ClaimRequest, RelayStore } from '../../application/delivery/ports.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../domain/delivery/policy.js';
import { readTraceContext } from '../../domain/trace-context.js';
import { COUNT_WAITING } from './count-waiting-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';
import {
  CLAIM,
  EXPLAIN_MISSED,
  FULL_DESTINATIONS,
  HOLD_PROBES,
  MARK_CARRIED,
  MARK_STARTED,
  RELEASE,
  WAITING,
} from './relay-sql.js';

/** A claim comes back in a few milliseconds; a store that takes longer than this is as good as away. */
const STATEMENT_TIMEOUT_MS = 5_000;

/**
 * Lanes looked at for each destination in one claim. More of them (thousands of tenants) are reached by the following
 * claims, which go on at the cursor.
 */
const LANES_PER_DESTINATION = 200;
const MOST_IN_ROUND = 512;

export interface RelayStoreOptions {
  /** Told how long the statement of each claim took in the database, whatever became of it. */
  readonly onClaimTook?: (ms: number) => void;
}

/** The relay's statements on PostgreSQL. A relay may run any number of them beside other relays. */
export function createRelayStore(pool: PgPool, { onClaimTook }: RelayStoreOptions = {}): RelayStore & BacklogStore {
  let foundNothing = false;
  return {
    async claim(request) {
      if (foundNothing && !(await doesAnyWait(pool))) {
        return { events: [], cursor: request.cursor ?? '{}', unfinished: false };
      }
      const found = await claim(pool, request, onClaimTook);
      foundNothing = found.events.length === 0 && !found.unfinished;
      return found;
    },

    async markStarted(leaseToken, rows, again) {
      const mark = (name: string, text: string, some: typeof rows) =>
        some.length === 0
          ? []
          : runStatement<{ event_id: string }>(pool, {
              name,
              text,
              values: [leaseToken, some.map((row) => row.eventId)],
              timeoutMs: STATEMENT_TIMEOUT_MS,
            });
      const own = rows.filter(({ carrier }) => (carrier ?? null) === null);
      const carried = rows.filter(({ carrier }) => (carrier ?? null) !== null);
      const marked = [
        ...(await mark('relay-mark-started', MARK_STARTED, own)),
        ...(await mark('relay-mark-carried', MARK_CARRIED, carried)),
      ];
      // STARTED in this epoch: while our lease lasts only our own mark can have done that.
      const { before, ...missed } = await explainMissed(pool, leaseToken, rows, marked, again ? ['STARTED'] : []);
      return { marked: marked.length + before, ...missed };
    },

    async release(leaseToken, rows, again) {
      const released = await runStatement<{ event_id: string }>(pool, {
        name: 'relay-release',
        text: RELEASE,
        values: [
          leaseToken,
          rows.map((row) => row.eventId),
          rows.map((row) => Math.round(row.delayMs)),
          rows.map((row) => row.countTry),
          rows.map((row) => row.sent ?? false),
        ],
        timeoutMs: STATEMENT_TIMEOUT_MS,
      });
      // Released, it may be claimed and started by anybody since.
      const { before, ...missed } = await explainMissed(
        pool,
        leaseToken,
        rows,
        released,
        again ? ['PENDING', 'STARTED'] : [],
      );
      return { released: released.length + before, ...missed };
    },

    async holdProbes(holder, leaseMs) {
      const values = [holder, leaseMs];
      await runStatement(pool, {
        name: 'relay-hold-probes',
        text: HOLD_PROBES,
        values,
        timeoutMs: STATEMENT_TIMEOUT_MS,
      });
    },

    async countWaiting(destinations, most) {
      const rows = await runStatement<{ destination: string; event_type: string; waiting: number }>(pool, {
        name: 'relay-count-waiting',
        text: COUNT_WAITING,
        values: [destinations, most],
        timeoutMs: STATEMENT_TIMEOUT_MS,
      });
      return rows.map(({ destination, event_type: eventType, waiting }) => ({ destination, eventType, waiting }));
    },

    async findFull(defaultMaxRuns) {
      const rows = await runStatement<{ destination: string; started: number; past_due: number }>(pool, {
        name: 'relay-full-destinations',
        text: FULL_DESTINATIONS,
        values: [defaultMaxRuns],
        timeoutMs: STATEMENT_TIMEOUT_MS,
      });
      return rows.map(({ destination, started, past_due }) => ({ destination, started, pastDue: past_due }));
    },
  };
}

async function doesAnyWait(pool: PgPool): Promise<boolean> {
  const timeoutMs = STATEMENT_TIMEOUT_MS;
  return (await runStatement(pool, { name: 'relay-waiting', text: WAITING, values: [], timeoutMs })).length > 0;
}

interface ClaimRow {
  /** This and what follows up to `event_id` in the first row only. */
  cursor: object;
  /** Destinations with lanes that were not walked; '' where destinations were not. */
  lanes_left: string[];
  /** Of those the ones whose walk went round the end. */
  wrapped: string[];
  /** By hash. */
  policies: Readonly<Record<string, RetryPolicy>> | null;
  /** null in the one row of an empty claim. */
  event_id: string | null;
  epoch: number;
  carrier: string | null;
  destination: string;
  event_type: string;
  tenant: string;
  policy_hash: string;
  start_tries: number;
  event_name: string;
  aggregate_type: string;
  aggregate_id: string;
  traceparent: string | null;
  tracestate: string | null;
  age_ms: number | null;
  first_of_budget: boolean;
  destination_well: boolean;
}

/** What a claim hands to the next one: the statement's own part, and how far the round over all lanes is. */
interface Cursor {
  /** Walked round the end since the last round was over. */
  readonly round?: readonly string[];
}

/**
 * R9: two claims at once, of which one does not see yet what the other sees, may take different rows of one aggregate. The
 * index then refuses the second, whole; tried again it sees the first.
 */
async function claim(pool: PgPool, request: ClaimRequest, onTook: RelayStoreOptions['onClaimTook']): Promise<Claim> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await claimOnce(pool, request, onTook);
    } catch (error) {
      if (tries === CLAIM_TRIES || !isAggregateTaken(error)) throw error;
    }
  }
}

const CLAIM_TRIES = 3;

function isAggregateTaken(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.constraint === 'delivery_order_busy';
}

async function claimOnce(
  pool: PgPool,
  request: ClaimRequest,
  onTook: RelayStoreOptions['onClaimTook'],
): Promise<Claim> {
  const before: Cursor = JSON.parse(request.cursor ?? '{}');
  const rows = await runStatement<ClaimRow>(pool, {
    name: 'relay-claim',
    text: CLAIM,
    values: [
      request.leaseToken,
      request.leaseMs,
      request.batch,
      JSON.stringify({ lanes: {}, ordered: {}, ...before }),
      request.defaultMaxRuns,
      JSON.stringify(request.policies),
      request.probeHolder,
      LANES_PER_DESTINATION,
      JSON.stringify(request.coalesced?.sizes ?? {}),
      request.coalesced?.carrierPrefix ?? '',
    ],
    timeoutMs: STATEMENT_TIMEOUT_MS,
    onTook,
  });
  const { cursor = {}, lanes_left: left = [], wrapped = [], policies } = rows[0] ?? {};
  const round = [...new Set([...(before.round ?? []), ...wrapped])].slice(-MOST_IN_ROUND);
  const unfinished = left.some((destination) => !round.includes(destination));
  return {
    events: rows.flatMap((row) =>
      row.event_id === null ? [] : [toClaimedEvent(row, row.event_id, policies?.[row.policy_hash])],
    ),
    cursor: JSON.stringify({ ...cursor, round: unfinished ? round : [] }),
    unfinished,
  };
}

function toClaimedEvent(row: ClaimRow, eventId: string, policy: RetryPolicy = DEFAULT_POLICY): ClaimedEvent {
  return {
    eventId,
    epoch: row.epoch,
    carrier: row.carrier,
    destination: row.destination,
    eventName: row.event_name,
    eventType: row.event_type,
    tenantId: row.tenant,
    aggregateType: row.aggregate_type,
    aggregateId: row.aggregate_id,
    policyHash: row.policy_hash,
    policy,
    firstAttempt: row.first_of_budget && row.destination_well ? 'local' : 'regular',
    destinationWell: row.destination_well,
    startTries: row.start_tries,
    trace: readTraceContext(row),
    ageMs: row.age_ms ?? undefined,
  };
}

async function explainMissed(
  pool: PgPool,
  leaseToken: string,
  asked: readonly { readonly eventId: string; readonly epoch: number; readonly carrier?: string | null }[],
  changed: readonly { event_id: string }[],
  doneBefore: readonly string[],
): Promise<{ before: number; overtaken: number; fenced: number }> {
  const done = new Set(changed.map((row) => row.event_id));
  const missed = asked.filter((row) => !done.has(row.eventId));
  if (missed.length === 0) return { before: 0, overtaken: 0, fenced: 0 };
  const [answer] = await runStatement<{ overtaken: number; done_before: number }>(pool, {
    name: 'relay-explain-missed',
    text: EXPLAIN_MISSED,
    values: [
      missed.map((row) => row.eventId),
      missed.map((row) => row.epoch),
      missed.map((row) => (row.carrier ?? null) !== null),
      doneBefore,
      leaseToken,
    ],
    timeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const { overtaken, done_before: before } = answer ?? { overtaken: 0, done_before: 0 };
  return { before, overtaken, fenced: missed.length - overtaken - before };
}
