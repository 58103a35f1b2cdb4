/**
 * What was settled long ago leaves the outbox, and the books still tell all. Real: PostgreSQL, the books, leases, and the real
 * api where an hour is looked at. Fake: nothing; rows are planted at times that are over.
 */
import { randomUUID } from 'node:crypto';
import type { LeaseHold } from '../../src/application/delivery/ports.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { removeSettled } from '../../src/application/delivery/retention/remove-settled.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import * as sql from '../../src/infrastructure/prisma/settled-statements.js';
import {
  createSettledStore,
  readRetentionLag,
  readUnproven,
  type SettledStoreOptions,
} from '../../src/infrastructure/prisma/settled-store.js';
import { type BooksLine, createBooksLine, HOUR } from '../support/books.js';
import { silentLog } from '../support/delivery-line.js';

const DAY_MS = 86_400_000;
/** Planted three days ago. */
const KEPT_MS = DAY_MS;
/** As `plant` does. */
const SETTLED = HOUR.replace(':00:00Z', ':01:00Z');
const ELSEWHERE = { routingKey: 'erp.sync' };
const never = new AbortController().signal;

let line: BooksLine;
let hold: LeaseHold;
beforeAll(async () => {
  line = await createBooksLine();
});
afterAll(() => line.close());
beforeEach(async () => {
  for (const table of ['event', 'delivery', 'delivery_attempt', 'dead_letter', 'event_revision', 'notification']) {
    await line.pool.query(`DELETE FROM outbox.${table}`);
  }
  await line.pool.query('TRUNCATE outbox.book, outbox.book_check, outbox.redrive_job');
  warned.length = 0;
  hold = { name: 'retention', holder: randomUUID() };
  await line.pool.query("DELETE FROM outbox.lease WHERE name = 'retention'");
  await createLeaseStore(line.pool).take(hold, 600_000);
});

const counted = new Map<string, number>();
const warned: { readonly events?: number; readonly message: string }[] = [];
const log = { ...silentLog, warn: (fields: object, message: string) => void warned.push({ ...fields, message }) };
const turn = (options: Partial<SettledStoreOptions> = {}, keptMs = KEPT_MS) =>
  removeSettled(
    {
      store: createSettledStore(line.pool, { canAsk: true, ...options }),
      time: systemTime,
      log,
      count: (name, by = 1) => void counted.set(name, (counted.get(name) ?? 0) + by),
    },
    keptMs,
  )(hold, never);

async function left(): Promise<string[]> {
  const { rows } = await line.pool.query<{ id: string }>('SELECT id FROM outbox.event');
  return rows.map(({ id }) => id).sort();
}

async function countIn(table: string): Promise<number> {
  return (await line.pool.query(`SELECT count(*)::int AS n FROM outbox.${table}`)).rows[0].n;
}

const lag = () => readRetentionLag(line.pool, KEPT_MS);

/** Everything that may hang on an event: an attempt, a letter that was redriven, a revision. */
async function hangOn(ids: readonly string[]): Promise<void> {
  await line.pool.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, finished_at, code)
     SELECT id, 0, n, now(), 'HTTP.TIMEOUT' FROM unnest($1::uuid[]) id, generate_series(1, 2) n`,
    [ids],
  );
  await line.pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries, state,
       state_at, created_at)
     SELECT gen_random_uuid(), id, 0, 'erp.sync', 'ORDER', 'HTTP.TIMEOUT', 'late', 2, 2, 'redriven', $2, $2 FROM unnest($1::uuid[]) id`,
    [ids, HOUR],
  );
  await line.pool.query(
    `INSERT INTO outbox.event_revision (event_id, epoch, payload, content_hash, actor, reason)
     SELECT id, 1, '{}', 'h', 'ada', 'mended' FROM unnest($1::uuid[]) id`,
    [ids],
  );
}

describe('R23: settled events leave', () => {
  it('R23: with everything that is theirs, and the books tell as many as before', async () => {
    const gone = [
      ...(await line.plant({ count: 2 })),
      ...(await line.plant({ ...ELSEWHERE, count: 3 })),
      ...(await line.plant({ ...ELSEWHERE, status: 'DISCARDED' })),
    ];
    await hangOn(gone);
    const stays = [
      ...(await line.plant({ ...ELSEWHERE, status: 'DEAD' })),
      ...(await line.plant({ ...ELSEWHERE, status: 'PENDING' })),
    ];
    await hangOn(stays.slice(1));
    expect(await line.look()).toMatchObject({ statuses: { DELIVERED: 5, DISCARDED: 1, DEAD: 1, PENDING: 1 } });
    await turn();
    expect(await left()).toEqual(stays.toSorted());
    expect(await countIn('delivery')).toBe(2);
    expect([await countIn('delivery_attempt'), await countIn('event_revision')]).toEqual([2, 1]);
    expect(await countIn('dead_letter')).toBe(2);
    // Not by toMatchObject, to which what should have gone would be more of the same.
    const told = [{ DELIVERED: 5, DISCARDED: 1 }, { DEAD: 1, PENDING: 1 }, 0];
    const tell = ({ removed, statuses, gapCount }: Awaited<ReturnType<BooksLine['books']>>) => [
      removed,
      statuses,
      gapCount,
    ];
    expect(tell(await line.books())).toEqual(told);
    // Looked at anew the hour balances, and says the same.
    await line.due();
    expect(tell(await line.look())).toEqual(told);
    expect(counted.get('retention_events')).toBe(6);
  });

  it('R23: what left is added to what left before', async () => {
    await line.plant({ ...ELSEWHERE, count: 2 });
    await line.look();
    await turn();
    await line.plant({ ...ELSEWHERE, count: 3 });
    await line.due();
    await line.look();
    await turn();
    expect(await line.books()).toMatchObject({ removed: { DELIVERED: 5 }, statuses: {} });
  });

  it('not before they are old enough', async () => {
    const ids = await line.plant(ELSEWHERE);
    await line.look();
    await turn({}, 4 * DAY_MS);
    expect(await left()).toEqual(ids);
    expect(await lag()).toBeGreaterThan(DAY_MS / 1_000);
    expect(await readRetentionLag(line.pool, 4 * DAY_MS)).toBe(0);
  });

  it('behind more than a page that may not leave', async () => {
    const dead = await line.plant({ ...ELSEWHERE, status: 'DEAD', count: sql.EVENTS_AT_ONCE + 20 });
    // Settled in one moment, so that only their ids tell where a page ends.
    await line.plant({ ...ELSEWHERE, count: sql.EVENTS_AT_ONCE + 20, at: HOUR.replace(':00:00Z', ':02:00Z') });
    await line.look();
    await turn();
    expect(await left()).toEqual(dead.toSorted());
    expect(await lag()).toBe(0);
  });
});

describe('R23: nothing leaves', () => {
  const hour = (set: string) => line.pool.query(`UPDATE outbox.book_check SET ${set} WHERE hour = $1`, [HOUR]);

  it.each([
    ['before its hour is closed', 'closed = false'],
    ['while its hour does not balance', "gap_count = 1, again_at = now() + interval '1 hour'"],
    ['while a look at its hour is due', "again_at = now() - interval '1 minute'"],
    [
      'while a whole look at its hour is to come',
      "whole_at = now() + interval '1 hour', again_at = now() + interval '1 hour'",
    ],
    ['while a look at its hour is under way', `look = '{"id": "1"}'`],
    ['before the books have seen it settled', "checked_at = now() - interval '10 days'"],
    [
      'settled when the books began to look, by whoever had not committed yet',
      `checked_at = '${SETTLED}'::timestamptz + interval '1 minute'`,
    ],
  ])('R23: %s', async (_, set) => {
    const ids = await line.plant(ELSEWHERE);
    await line.look();
    await hour(set);
    await turn();
    expect(await left()).toEqual(ids);
    expect(await lag()).toBe(0);
    expect(await countIn('book')).toBe(0);
    await hour(
      "closed = true, gap_count = 0, again_at = NULL, whole_at = NULL, look = NULL, checked_at = now() - interval '1 hour'",
    );
    await turn();
    expect(await left()).toEqual([]);
  });

  it('of an hour that has no books', async () => {
    const ids = await line.plant(ELSEWHERE);
    await turn();
    expect(await left()).toEqual(ids);
  });

  it('while a letter of it is open, whatever its status says', async () => {
    const [id] = (await line.plant(ELSEWHERE)) as [string];
    await line.look();
    await hangOn([id]);
    await line.pool.query("UPDATE outbox.dead_letter SET state = 'open'");
    await turn();
    expect(await left()).toEqual([id]);
    await line.pool.query("UPDATE outbox.dead_letter SET state = 'resolved'");
    await turn();
    expect(await left()).toEqual([]);
  });

  it('while a redrive job runs that was made after a letter of it', async () => {
    const [id] = (await line.plant(ELSEWHERE)) as [string];
    const [other] = (await line.plant(ELSEWHERE)) as [string];
    await line.look();
    await hangOn([id]);
    await line.pool.query(
      `INSERT INTO outbox.redrive_job (id, filter, rate, expected, actor, reason, created_at)
       VALUES (gen_random_uuid(), '{}', 1, 1, 'ada', 'mended', $1::timestamptz + interval '1 hour')`,
      [HOUR],
    );
    await turn();
    expect(await left()).toEqual([id]);
    expect(await left()).not.toContain(other);
    await line.pool.query("UPDATE outbox.redrive_job SET state = 'done', ended_at = now()");
    await turn();
    expect(await left()).toEqual([]);
  });

  it.each([
    ['nobody has claimed', ''],
    ['somebody tells at the moment', ", claimed_by = 'main:notify:1', claimed_at = now()"],
  ])('while its notice waits, which %s', async (_, set) => {
    const [id] = (await line.plant(ELSEWHERE)) as [string];
    await line.look();
    await line.pool.query(
      `INSERT INTO outbox.notification (id, kind, group_key, event_id, code, event_type, created_at)
       VALUES (outbox.uuid_v7(), 'dead_letter', 'g', $1, 'HTTP.TIMEOUT', 'ORDER', $2)`,
      [id, HOUR],
    );
    await line.pool.query(`UPDATE outbox.notification SET kind = kind ${set}`);
    await turn();
    expect([await left(), await countIn('notification')]).toEqual([[id], 1]);
    await line.pool.query(
      "UPDATE outbox.notification SET claimed_by = 'main:notify:1', claimed_at = $1, done_at = $1",
      [HOUR],
    );
    await turn();
    expect([await left(), await countIn('notification')]).toEqual([[], 0]);
  });

  it('where the lease is another relay’s by now', async () => {
    const ids = await line.plant(ELSEWHERE);
    await line.look();
    await line.pool.query("UPDATE outbox.lease SET holder = gen_random_uuid() WHERE name = 'retention'");
    await turn();
    expect(await left()).toEqual(ids);
  });

  it('R23: and nothing is booked, where it fails in the middle', async () => {
    const ids = await line.plant({ ...ELSEWHERE, count: 3 });
    await line.look();
    const failing = turn({
      failpoint: () => {
        throw new Error('in the middle');
      },
    });
    await expect(failing).rejects.toThrow();
    expect(await left()).toEqual(ids.toSorted());
    expect(await countIn('delivery')).toBe(3);
    expect(await line.books()).toMatchObject({ removed: {}, statuses: { DELIVERED: 3 } });
  });

  it('of rows that somebody holds: nobody waits, and the next turn takes them', async () => {
    const [held] = (await line.plant({ ...ELSEWHERE, count: 2 })) as [string];
    await line.look();
    const other = await line.pool.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM outbox.delivery WHERE event_id = $1 FOR UPDATE', [held]);
      await turn();
      expect(await left()).toEqual([held]);
      await other.query('ROLLBACK');
    } finally {
      other.release();
    }
    await turn();
    expect(await left()).toEqual([]);
  });
});

describe('R23: what was delivered to the audit log stays until that was asked about it', () => {
  const WITHOUT_KEY = { standing: null };
  const unproven = () => readUnproven(line.pool, KEPT_MS);
  const aDayLater = () =>
    line.pool.query(
      `UPDATE outbox.book_check SET last_full = last_full || jsonb_build_object('checkedAt', now() - interval '25 hours')`,
    );

  it('R23: by a look without a key it is not, and the relay says so; once there is a key it is asked, all of the hour', async () => {
    const ids = await line.plant({ count: 2 });
    const [lost] = (await line.plant({ recorded: false })) as [string];
    await line.plant({ ...ELSEWHERE, count: 3 });
    expect(await line.look(WITHOUT_KEY)).toMatchObject({
      mode: 'whole',
      asked: 0,
      audited: 3,
      gapCount: 0,
      againAt: null,
    });
    await turn({ canAsk: false });
    expect(await left()).toEqual([...ids, lost].toSorted());
    expect(warned).toEqual([{ events: 3, message: 'retention.cannot_prove' }]);
    expect(await unproven()).toBe(3);
    expect(await line.books()).toMatchObject({ againAt: null });
    // A relay with a key: not at once, since another without one may look. A day later it has the hour looked at.
    await turn();
    expect(await line.books()).toMatchObject({ againAt: null });
    await aDayLater();
    await turn({ canAsk: false });
    expect(await line.books()).toMatchObject({ againAt: null });
    await turn();
    expect(await line.look()).toMatchObject({ asked: 3, gapCounts: { not_in_audit_log: 1 } });
    await turn();
    expect(await left()).toEqual([...ids, lost].toSorted());
    await line.record([lost]);
    await line.due();
    await line.look();
    await turn();
    expect([await left(), await unproven()]).toEqual([[], 0]);
    expect(await line.books()).toMatchObject({ removed: { DELIVERED: 6 }, gapCount: 0 });
  });

  it('R23: by a look at a share it is not, however long the whole one lets wait', async () => {
    const ids = await line.plant({ count: 3 });
    expect(await line.look({ mostAsked: 1, random: () => 0.99 })).toMatchObject({
      mode: 'share',
      asked: 0,
      gapCount: 0,
    });
    await turn();
    await line.pool.query('UPDATE outbox.book_check SET whole_at = NULL');
    await turn();
    expect(await left()).toEqual(ids.toSorted());
    await line.pool.query('UPDATE outbox.book_check SET whole_at = now(), again_at = now()');
    expect(await line.look({ mostAsked: 1 })).toMatchObject({ mode: 'whole', asked: 3 });
    await turn();
    expect(await left()).toEqual([]);
  });

  it('R23: nor where a look without a key came after for what had moved, and not by the next one with a key either', async () => {
    const ids = await line.plant();
    await line.look();
    ids.push(...(await line.plant({ recorded: false })));
    await line.due();
    expect(await line.look(WITHOUT_KEY)).toMatchObject({ mode: 'moved', asked: 0, gapCount: 0 });
    await line.due();
    expect(await line.look()).toMatchObject({ mode: 'moved', gapCount: 0 });
    await turn();
    expect(await left()).toEqual(ids.toSorted());
    await aDayLater();
    await turn();
    expect(await line.look()).toMatchObject({ mode: 'whole', asked: 2, gapCounts: { not_in_audit_log: 1 } });
  });

  it('R23: looks for what had moved that asked keep it so', async () => {
    await line.plant();
    await line.look();
    await line.plant();
    await line.due();
    expect(await line.look()).toMatchObject({ mode: 'moved', asked: 1, audited: 2 });
    await turn();
    expect(await left()).toEqual([]);
  });

  it('R23: nor by the look of a relay that did not count what it left out', async () => {
    const ids = await line.plant();
    await line.look();
    await line.pool.query("UPDATE outbox.book_check SET totals = totals - 'unasked'");
    await line.due();
    await line.look();
    await turn();
    expect(await left()).toEqual(ids);
    await aDayLater();
    await turn();
    await line.look();
    await turn();
    expect(await left()).toEqual([]);
  });
});

it('where the oldest 2,000 are all kept, the oldest of them tells how far retention is behind', async () => {
  await line.plant({ ...ELSEWHERE, count: 1_999 });
  await line.look();
  await line.pool.query('UPDATE outbox.book_check SET gap_count = 1');
  expect(await lag()).toBe(0);
  await line.plant(ELSEWHERE);
  expect(await lag()).toBeGreaterThan(DAY_MS / 1_000);
});

it('redrive jobs leave when they ended long ago, and no other', async () => {
  await line.pool.query(
    `INSERT INTO outbox.redrive_job (id, filter, rate, expected, actor, reason, created_at, state, ended_at)
     SELECT gen_random_uuid(), '{}', 1, 1, 'ada', r, $1, s, e FROM (VALUES
       ('old', 'done', $1::timestamptz), ('young', 'cancelled', now()), ('runs', 'running', NULL)) AS v(r, s, e)`,
    [HOUR],
  );
  await turn();
  const { rows } = await line.pool.query('SELECT reason FROM outbox.redrive_job ORDER BY 1');
  expect(rows).toEqual([{ reason: 'runs' }, { reason: 'young' }]);
});

it('an event beside a large table is found and removed by indexes alone', async () => {
  const ids = await line.plant({ ...ELSEWHERE, count: 3 });
  await line.pool.query(
    `INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, payload, content_hash, occurred_at)
     SELECT outbox.uuid_v7(), 'a.b.c.v1', 'ORDER', 'erp.sync', 'outbox:main', 'order', i::text, '{}', 'h', now() FROM generate_series(1, 20000) i`,
  );
  await line.pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, status, settled_at, receipt)
     SELECT id, 'erp.sync', 'ORDER', 'DELIVERED', now(), '{}' FROM outbox.event WHERE NOT id = ANY ($1)`,
    [ids],
  );
  await line.pool.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n) SELECT event_id, 0, 1 FROM outbox.delivery`,
  );
  await line.pool.query('ANALYZE outbox.event, outbox.delivery, outbox.delivery_attempt');
  const plans = [
    await plan(sql.PAGE, [KEPT_MS, null, null]),
    await plan(sql.LOCK_HOURS, [hold.name, hold.holder, ids]),
    await plan(sql.LOCK_EVENTS, [KEPT_MS, ids, [HOUR]]),
    await plan(sql.REMOVE.deliveries, [ids]),
    await plan(sql.REMOVE.attempts, [ids]),
    await plan(sql.REMOVE.events, [ids]),
    await plan(sql.KEEP_UNPROVEN, [KEPT_MS, ids, [HOUR], false]),
    await plan(sql.LAG, [KEPT_MS]),
    await plan(sql.UNPROVEN, [KEPT_MS]),
  ];
  for (const text of plans) expect(text).not.toMatch(/Seq Scan on (event|delivery|delivery_attempt)\b/);
  expect(plans[0]).toContain('delivery_settled');
});

async function plan(text: string, values: readonly unknown[]): Promise<string> {
  const client = await line.pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query(`EXPLAIN ${text}`, [...values]);
    await client.query('ROLLBACK');
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  } finally {
    client.release();
  }
}

it('tables keep their size while events come and leave', async () => {
  const sizes: number[] = [];
  for (let round = 0; round < 5; round++) {
    const ids = await line.plant({ ...ELSEWHERE, count: 1_000 });
    await hangOn(ids);
    await line.due();
    await line.look();
    await turn();
    expect(await left()).toEqual([]);
    // As autovacuum does by itself, when it comes to it.
    await line.pool.query('VACUUM outbox.event, outbox.delivery, outbox.delivery_attempt, outbox.dead_letter');
    const { rows } = await line.pool.query(
      `SELECT sum(pg_total_relation_size(t))::int AS bytes FROM unnest(ARRAY['outbox.event', 'outbox.delivery',
         'outbox.delivery_attempt', 'outbox.dead_letter']::regclass[]) t`,
    );
    sizes.push(rows[0].bytes);
  }
  // Random ids put a page more or less into an index.
  expect(sizes.at(-1)).toBeLessThan(1.1 * (sizes[1] as number));
  expect(await line.books()).toMatchObject({ removed: { DELIVERED: 5_000 } });
});
