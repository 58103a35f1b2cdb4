/** F14: many relays on the same rows, sessions that lock each other out, DDL that waits behind a reader. */
import type pg from 'pg';
import type { ChaosWorld, FleetMember } from '../ports.js';
import { pause } from '../within.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { count, leaseMs, metric, untilStatus, withoutAnswer } from './look.js';
import { idsOf, ownEvents, requestsOf } from './own-events.js';
import { PATIENCE_MS, until } from './wait.js';

/**
 * In a short run half of the relays: each costs a start. Several claims of each; more events would stand before the deadlock's
 * own, beside the flow, for minutes.
 */
const CROWDS = {
  short: { relays: 4, events: 300, deliveredWithinMs: PATIENCE_MS },
  long: { relays: 8, events: 600, deliveredWithinMs: 2 * PATIENCE_MS },
};

export const relaysAtOnce = defineFault({
  id: 'F14',
  title: 'eight relays at once; a deadlock; DDL waiting',
  short: [8, 12],
  long: [40, 60],
  heal: ({ proxies }) => proxies.temporal.heal(),
  async inflict(world, inflicting) {
    const { signal, problems, short, durationMs, heal } = inflicting;
    const doubled = await watchClaims(world);
    let claimers: Awaited<ReturnType<typeof claimTogether>>;
    let [deadlocks, waited] = [0, 0];
    try {
      claimers = await claimTogether(world, inflicting);
      deadlocks = await deadlock(world, signal);
      if (deadlocks === 0) problems.push('no statement of a role was ended by a deadlock');
      waited = await waitForTable(world.outbox, Math.min(durationMs / 3, short ? 2_500 : 10_000), signal);
      if (waited === 0) problems.push('no session of the roles waited behind the DDL');
      await heal();
      const overlapping = await doubled.count();
      if (overlapping > 0) problems.push(`${overlapping} claims took rows whose lease was not over`);
    } finally {
      await doubled.stop();
    }
    const after = ownEvents(world, 20);
    await world.producer.append(after);
    const open = await untilStatus(world, idsOf(after), ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
    if (open.length > 0)
      problems.push(`${open.length} of 20 events were not delivered in time after the locks were gone`);
    return {
      happened: claimers.claimed < claimers.wanted ? 0 : Math.min(claimers.claimed, deadlocks, waited),
      what: `${claimers.claimed} of ${claimers.wanted} relays claimed, ${deadlocks} statements of roles ended by deadlock, ${waited} waited behind the DDL`,
    };
  },
});

/** No claim over another's, and no event sent twice. */
async function claimTogether(
  world: ChaosWorld,
  { signal, problems, short }: Inflicting,
): Promise<{ readonly claimed: number; readonly wanted: number }> {
  const added: FleetMember[] = [];
  const { relays: wanted, events: howMany, deliveredWithinMs: withinMs } = CROWDS[short ? 'short' : 'long'];
  try {
    const missing = Math.max(0, wanted - world.fleet.of('relay').length);
    // Two at a time: a start is what costs most on a small machine.
    for (let n = 0; n < missing && !signal.aborted; n += 2) {
      const some = Array.from({ length: Math.min(2, missing - n) }, () => world.fleet.add('relay'));
      for (const one of await Promise.allSettled(some)) {
        if (one.status === 'fulfilled') added.push(one.value);
        else problems.push(`a relay more could not be started: ${String(one.reason)}`);
      }
    }
    const claimed = await watchClaimers(world, signal);
    const events = ownEvents(world, howMany);
    for (let at = 0; at < events.length && !signal.aborted; at += 100) {
      await world.producer.append(events.slice(at, at + 100));
    }
    const ids = idsOf(events);
    const open = await untilStatus(world, ids, ['DELIVERED'], { withinMs, signal });
    if (open.length > 0) {
      problems.push(
        `${open.length} of ${ids.length} events were not delivered in time by ${world.fleet.of('relay').length} relays`,
      );
    }
    const lost = await withoutAnswer(world, ids);
    const again = requestsOf(world, ids).filter(({ did, eventId }) => did === 'again' && !lost.has(eventId)).length;
    if (again > 0)
      problems.push(
        `${again} of ${ids.length} events were sent twice by ${world.fleet.of('relay').length} relays at once`,
      );
    // Few events are soon claimed by whoever is quickest: more of them, until each relay has had some.
    const all = async () => {
      if ((await claimed()) >= wanted) return true;
      await world.producer.append(ownEvents(world, 50));
      return false;
    };
    await until(all, { withinMs: PATIENCE_MS / 2, signal, everyMs: 1_000 });
    return { claimed: await claimed(), wanted };
  } finally {
    await Promise.all(added.map((member) => world.fleet.remove(member)));
  }
}

/** How many relays have claimed since, by their own counters; one that does not answer has not. */
async function watchClaimers({ fleet }: ChaosWorld, signal: AbortSignal): Promise<() => Promise<number>> {
  const claimedBy = (relay: FleetMember) => metric(relay, 'outbox_claimed_events_total');
  const before = new Map<string, number>();
  const known = async () => {
    for (const relay of fleet.of('relay')) {
      const claimed = before.has(relay.name) ? null : await claimedBy(relay);
      if (claimed !== null) before.set(relay.name, claimed);
    }
    return fleet.of('relay').every(({ name }) => before.has(name));
  };
  await until(known, { withinMs: PATIENCE_MS / 2, signal });
  return async () => {
    const now = await Promise.all(
      fleet.of('relay').map(async (relay) => [before.get(relay.name), await claimedBy(relay)] as const),
    );
    return now.filter(([then, claimed]) => then !== undefined && claimed !== null && claimed > then).length;
  };
}

/**
 * REJECT_DUPLICATE makes a double claim harmless, so the books would not show it: the database notes every claim with the token
 * that it wrote over. That one was not taken off meanwhile, so its lease must be over: by the time of its claim, for `due_at` is
 * just what a relay may have left as it was.
 */
async function watchClaims(world: ChaosWorld): Promise<{ count(): Promise<number>; stop(): Promise<void> }> {
  const pool = world.outbox;
  await alter(
    pool,
    `DROP SCHEMA IF EXISTS chaos CASCADE;
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.claim (event_id uuid, token uuid, was uuid, at timestamptz);
    CREATE INDEX ON chaos.claim (event_id, token);
    CREATE FUNCTION chaos.note_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
    BEGIN
      INSERT INTO chaos.claim VALUES (NEW.event_id, NEW.lease_token, OLD.lease_token, statement_timestamp());
      RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_claim AFTER UPDATE ON outbox.delivery FOR EACH ROW
      WHEN (NEW.lease_token IS NOT NULL AND NEW.lease_token IS DISTINCT FROM OLD.lease_token)
      EXECUTE FUNCTION chaos.note_claim()`,
  );
  return {
    count: () =>
      count(
        pool,
        `chaos.claim later JOIN chaos.claim earlier ON earlier.event_id = later.event_id AND earlier.token = later.was
         WHERE later.at < earlier.at + $1 * interval '1 millisecond'`,
        [leaseMs(world)],
      ),
    async stop() {
      // The table first, as a claim takes them: one that is under way and this would wait for each other.
      const drop = () => alter(pool, 'LOCK TABLE outbox.delivery; DROP SCHEMA IF EXISTS chaos CASCADE');
      await drop().catch(drop);
    },
  };
}

/** In one transaction, or nothing of it. */
async function alter(pool: pg.Pool, statements: string): Promise<void> {
  const session = await pool.connect();
  try {
    await session.query(`BEGIN; SET LOCAL lock_timeout = '10s'; ${statements}; COMMIT`);
  } finally {
    await leave(session);
  }
}

/** Which row a statement comes to last is PostgreSQL's choice: as many tries. */
const DEADLOCK_TRIES = 6;
/** Starts are slow by then, so that a batch is claimed and not marked. */
const CLAIMED_WITHIN_MS = 10_000;

/**
 * A session of ours locks one row of what a relay has claimed, waits until the relay waits for it with its mark, and asks for the
 * others of that batch, which the relay may hold. PostgreSQL ends whoever has waited for a second first: a role. How many statements it ended.
 */
async function deadlock(world: ChaosWorld, signal: AbortSignal): Promise<number> {
  const { outbox, proxies, producer } = world;
  const before = await deadlocksOf(outbox);
  let ours = 0;
  const theirs = async () => (await deadlocksOf(outbox)) - before - ours;
  const slow = await proxies.temporal.add('latency', { latency: 900, jitter: 0 }, { stream: 'downstream' });
  const session = await outbox.connect();
  try {
    for (let n = 0; n < DEADLOCK_TRIES && !signal.aborted; n += 1) {
      const events = ownEvents(world, 20);
      await producer.append(events);
      const batch = await largestBatch(outbox, idsOf(events), signal);
      const [held] = batch.splice(n % 2 === 0 ? batch.length - 1 : 0, 1);
      if (held === undefined || batch.length === 0) continue;
      const lock = (ids: readonly string[]) =>
        session.query('SELECT FROM outbox.delivery WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE', [
          ids,
        ]);
      await session.query("BEGIN; SET LOCAL lock_timeout = '10s'");
      await lock([held]);
      await until(async () => (await waitingMarks(outbox)) > 0, { withinMs: CLAIMED_WITHIN_MS, signal, everyMs: 20 });
      // Ours is ended where the role began to wait later: then nothing is shown, and the next try may.
      const end = await lock(batch).then(
        () => null,
        (error: { code?: string }) => error.code ?? 'unknown',
      );
      if (end === '40P01') ours += 1;
      await session.query('ROLLBACK');
      if (await until(async () => (await theirs()) > 0, { withinMs: 3_000, signal })) break;
    }
    return Math.max(0, await theirs());
  } finally {
    await leave(session);
    await slow();
  }
}

/** The ids of one token's claim. */
async function largestBatch(outbox: pg.Pool, ids: readonly string[], signal: AbortSignal): Promise<string[]> {
  let batch: string[] = [];
  const claimed = async () => {
    const { rows } = await outbox.query<{ ids: string[] }>(
      `SELECT array_agg(event_id::text ORDER BY event_id) AS ids FROM outbox.delivery
       WHERE event_id = ANY ($1::uuid[]) AND status = 'PENDING' AND lease_token IS NOT NULL
       GROUP BY lease_token ORDER BY count(*) DESC LIMIT 1`,
      [ids],
    );
    batch = rows[0]?.ids ?? [];
    return batch.length > 1;
  };
  await until(claimed, { withinMs: CLAIMED_WITHIN_MS, signal, everyMs: 20 });
  return batch;
}

/** Relays that mark a batch and wait for a row of it. */
function waitingMarks(outbox: pg.Pool): Promise<number> {
  return count(
    outbox,
    `pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'temporal-outbox %'
     AND query LIKE '%UPDATE outbox.delivery%SET status = ''STARTED''%'`,
  );
}

/** Statements that this database has ended; told a moment later. */
async function deadlocksOf(outbox: pg.Pool): Promise<number> {
  const { rows } = await outbox.query<{ n: number }>(
    'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()',
  );
  return rows[0]?.n ?? 0;
}

/** A reader holds the table, an ACCESS EXCLUSIVE waits for it, and everybody behind that: the most who waited at once. */
async function waitForTable(pool: pg.Pool, holdMs: number, signal: AbortSignal): Promise<number> {
  const [reader, ddl] = [await pool.connect(), await pool.connect()];
  let most = 0;
  try {
    await reader.query('BEGIN; SELECT FROM outbox.delivery LIMIT 1');
    await ddl.query(`BEGIN; SET LOCAL lock_timeout = ${Math.round(holdMs)}`);
    let refused = false;
    const locking = ddl
      .query('LOCK TABLE outbox.delivery IN ACCESS EXCLUSIVE MODE')
      .catch((error: { code?: string }) => {
        refused = error.code === '42501'; // of a staging's role that owns nothing; else its timeout, as it should
      });
    const watching = until(
      async () => {
        const { rows } = await pool.query<{ n: number }>(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'temporal-outbox %'",
        );
        most = Math.max(most, rows[0]?.n ?? 0);
        return refused;
      },
      { withinMs: holdMs, signal, everyMs: 100 },
    );
    await Promise.all([watching, Promise.race([locking, pause(holdMs + 1_000, signal)])]);
    return most;
  } finally {
    await leave(reader);
    await leave(ddl);
  }
}

async function leave(session: pg.PoolClient): Promise<void> {
  // A session that cannot roll back is closed, which does.
  const rolledBack = await session.query('ROLLBACK').catch(() => null);
  session.release(rolledBack === null);
}
