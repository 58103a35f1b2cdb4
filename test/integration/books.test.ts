/**
 * R23: the books of an hour on a real PostgreSQL, asking the real api. Gaps are planted by SQL, races held by transactions of
 * a second session or by an audit log that answers late. Fake: only, where a test says so, the audit log that is away.
 */
import { randomUUID } from 'node:crypto';
import { createStandingLookup } from '../../src/application/delivery/books/ask-standing.js';
import { READ_PAGE } from '../../src/infrastructure/prisma/book-statements.js';
import { type BooksLine, createBooksLine, HOUR } from '../support/books.js';
import { startRecordingServer } from '../support/recording-server.js';

let line: BooksLine;
beforeEach(async () => {
  line = await createBooksLine();
});
afterEach(() => line.close());

const gapsOf = async () => (await line.books()).gaps.map(({ gap, eventId }) => `${gap} ${eventId}`).sort();

describe('R23: an hour that balances', () => {
  it('R23: is said to: every status counted once, every delivered event asked for, nothing to look at again', async () => {
    await line.plant({ count: 3 });
    await line.plant({ status: 'DEAD', tenantId: 'acme' });
    await line.plant({ status: 'DISCARDED' });
    await line.plant({ routingKey: 'erp.sync' });
    // What the outbox itself appends is an event like any other.
    await line.pool.query(`SELECT outbox.record_events('[{"eventName":"outbox.dead_letter.redriven.v1","eventType":"OUTBOX",
      "aggregate":{"type":"dead_letter","id":"1"},"payload":{}}]')`);
    expect(await line.look()).toMatchObject({
      hour: HOUR,
      closed: true,
      statuses: { DELIVERED: 4, DEAD: 1, DISCARDED: 1 },
      audited: 3,
      asked: 3,
      mode: 'whole',
      gapCount: 0,
      gaps: [],
      againAt: null,
    });
    expect(await line.alert()).toBeNull();
    // One for each hour since, but for the one that ended less than ten minutes ago.
    const { rows } = await line.pool.query('SELECT count(*)::int AS n, max(hour) AS last FROM outbox.book_check');
    expect(rows[0].n).toBeGreaterThan(69);
    expect(rows[0].last.getTime()).toBeLessThanOrEqual(Date.now() - 70 * 60_000);
  });

  it('R23: is not looked at before ten minutes after its end', async () => {
    await line.plant();
    const [id] = (await line.plant()) as [string];
    const begin = async (minutesAgo: number) => {
      const { rows } = await line.pool.query(
        "SELECT to_char(date_trunc('hour', now() - $1 * interval '1 minute', 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS h",
        [minutesAgo],
      );
      return rows[0].h as string;
    };
    await line.asOf([id], await begin(0));
    await line.checker()(line.hold, new AbortController().signal);
    expect(await line.store.show(await begin(0))).toBeNull();
    const young = await begin(60);
    expect((await line.store.show(young)) === null).toBe(young !== (await begin(70)));
  });

  it('R23: what retention removed is told beside what is there', async () => {
    await line.plant();
    await line.pool.query("INSERT INTO outbox.book VALUES ($1, 'DELIVERED', 41)", [HOUR]);
    expect(await line.look()).toMatchObject({ statuses: { DELIVERED: 1 }, removed: { DELIVERED: 41 } });
  });
});

describe('R23: gaps', () => {
  it('R23: an event without a delivery', async () => {
    const [id] = await line.plant({ tenantId: 'acme' });
    await line.plant();
    await line.pool.query('DELETE FROM outbox.delivery WHERE event_id = $1', [id]);
    expect(await line.look()).toMatchObject({
      gapCount: 1,
      gapCounts: { no_delivery: 1 },
      gaps: [{ gap: 'no_delivery', eventId: id, tenantId: 'acme', status: null, epoch: null }],
      statuses: { NONE: 1, DELIVERED: 1 },
    });
  });

  it('R23: DEAD without an open letter of its epoch, and an open letter of what is not dead', async () => {
    const [none] = await line.plant({ status: 'DEAD', letter: false });
    const [other] = await line.plant({ status: 'DEAD' });
    await line.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [other]);
    const [closed] = await line.plant({ status: 'DEAD' });
    await line.pool.query("UPDATE outbox.dead_letter SET state = 'redriven' WHERE event_id = $1", [closed]);
    const [alive] = await line.plant({ letter: true });
    await line.plant({ status: 'DEAD' });
    await line.look();
    expect(await gapsOf()).toEqual(
      [
        `dead_without_letter ${none}`,
        `dead_without_letter ${other}`,
        `dead_without_letter ${closed}`,
        `letter_without_dead ${alive}`,
      ].sort(),
    );
  });

  it('R23: delivered to the audit log, where its identity does not stand: by tenant, source and id', async () => {
    const [lost] = await line.plant({ recorded: false });
    const [elsewhere] = await line.plant({ recorded: false, tenantId: 'acme' });
    // The same id, of another tenant and of another source.
    const { event } = await import('./ingest-set-up.js');
    for (const parts of [{ source: 'outbox:main' }, { source: 'outbox:other', tenantId: 'acme' }]) {
      const answer = await line.ingest.post(event({ eventId: elsewhere as string, ...parts }), {
        key: line.audit.apiKey,
      });
      expect(answer.status).toBe(201);
    }
    await line.plant({ source: 'urn:crm ü', tenantId: 'zoë' });
    await line.plant({ routingKey: 'erp.sync' });
    const books = await line.look();
    expect(books).toMatchObject({ gapCount: 2, audited: 3, asked: 3 });
    expect(await gapsOf()).toEqual([`not_in_audit_log ${lost}`, `not_in_audit_log ${elsewhere}`].sort());
  });

  it('R23: open past its deadline, but not what waits for its destination or the first of its aggregate', async () => {
    const [late] = await line.plant({ status: 'STARTED' });
    const [never] = await line.plant({ status: 'PENDING' });
    await line.pool.query(
      "UPDATE outbox.delivery SET due_at = now() - interval '30 hours', started_at = NULL WHERE event_id = $1",
      [never],
    );
    const [waited] = await line.plant({ status: 'STARTED' });
    await line.pool.query('UPDATE outbox.delivery SET waited_ms = 259200000 WHERE event_id = $1', [waited]);
    const [planned] = await line.plant({ status: 'STARTED' });
    await line.pool.query("UPDATE outbox.delivery SET due_at = now() + interval '1 hour' WHERE event_id = $1", [
      planned,
    ]);
    const [longer] = await line.plant({ status: 'STARTED' });
    await line.pool.query(`INSERT INTO outbox.policy VALUES ('week', '{"deadlineMs": 604800000}')`);
    await line.pool.query("UPDATE outbox.delivery SET policy_hash = 'week' WHERE event_id = $1", [longer]);
    const [again] = await line.plant({ status: 'STARTED' });
    await line.pool.query('INSERT INTO outbox.delivery_attempt (event_id, epoch, n) VALUES ($1, 0, 1)', [again]);
    await line.plant({ status: 'STARTED', routingKey: 'sick' });
    await line.pool.query("INSERT INTO outbox.destination (name, breaker) VALUES ('sick', 'open')");
    await line.plant({ status: 'STARTED', routingKey: 'held', tenantId: 'acme' });
    await line.pool.query(
      `INSERT INTO outbox.pause (id, tenant, reason, actor) VALUES (gen_random_uuid(), 'acme', 'r', 'a')`,
    );
    const [dead] = await line.plant({ status: 'DEAD', routingKey: 'ordered' });
    const [behind] = await line.plant({ status: 'STARTED', routingKey: 'ordered' });
    await line.pool.query("UPDATE outbox.delivery SET order_key = 'k', order_no = 1 WHERE event_id = $1", [dead]);
    await line.pool.query("UPDATE outbox.delivery SET order_key = 'k', order_no = 2 WHERE event_id = $1", [behind]);
    const order = (ordering: string) =>
      line.pool.query(
        `INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('ORDER', $1, 'a')
         ON CONFLICT (name) DO UPDATE SET ordering = excluded.ordering`,
        [ordering],
      );
    await order('block');
    await line.look();
    expect(await gapsOf()).toEqual([`past_deadline ${late}`, `past_deadline ${never}`].sort());
    // Where a dead one is skipped it is no reason to wait.
    await order('skip');
    await line.due();
    await line.look();
    expect(await gapsOf()).toEqual([late, never, behind].map((id) => `past_deadline ${id}`).sort());
  });

  it('R23: past its deadline is also what goes round: its start refused for ever, its runs lost again and again', async () => {
    const open = async (set: string, status: 'PENDING' | 'STARTED' = 'PENDING') => {
      const [id] = (await line.plant({ status })) as [string];
      await line.pool.query(
        "UPDATE outbox.delivery SET due_at = now() + interval '5 minutes', started_at = NULL WHERE event_id = $1",
        [id],
      );
      await line.pool.query(`UPDATE outbox.delivery SET ${set} WHERE event_id = $1`, [id]);
      return id;
    };
    const refused = await open('start_tries = 7');
    const lost = await open('epoch = 2, redispatches = 2, started_at = now()', 'STARTED');
    const elsewhere = await open('epoch = 2, started_at = now()', 'STARTED');
    // What is put off by its producer, or was redriven yesterday, or got to an attempt yesterday, has its time.
    await open("due_at = now() + interval '1 day'");
    const redriven = await open('epoch = 2, budget_epoch = 1, start_tries = 3');
    const tried = await open('epoch = 1, redispatches = 1');
    await line.pool.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries, state, state_at)
       VALUES (gen_random_uuid(), $1, 0, 'audit.log', 'ORDER', 'HTTP.TLS', 'm', 1, 1, 'redriven', now() - interval '20 hours')`,
      [redriven],
    );
    await line.pool.query(
      "INSERT INTO outbox.delivery_attempt (event_id, epoch, n, started_at) VALUES ($1, 0, 1, now() - interval '20 hours')",
      [tried],
    );
    await line.look();
    expect(await gapsOf()).toEqual([refused, lost, elsewhere].map((id) => `past_deadline ${id}`).sort());
    await line.pool.query("UPDATE outbox.dead_letter SET state_at = now() - interval '26 hours'");
    await line.due();
    expect(await line.look()).toMatchObject({ gapCounts: { past_deadline: 4 } });
  });

  it('R23: at most a hundred are listed and all are counted; a tenant’s text stays text', async () => {
    const hostile = "<!channel> {{7*7}} '; DROP--";
    await line.plant({ status: 'DEAD', letter: false, tenantId: hostile, count: 130 });
    const books = await line.look();
    expect(books.gapCount).toBe(130);
    expect(books.gaps).toHaveLength(100);
    expect(books.gaps[0]?.tenantId).toBe(hostile);
    expect(JSON.stringify((await line.alert())?.fields)).not.toContain('channel');
  });

  it('R23, R24: an alert is raised with them and ended once they are mended, which every look asks for whole', async () => {
    const [lost] = (await line.plant({ recorded: false })) as [string];
    await line.look();
    expect(await line.alert()).toMatchObject({
      fields: { hour: HOUR, differences: [{ check: 'not_in_audit_log', count: 1 }] },
      over_at: null,
    });
    expect((await line.books()).againAt).not.toBeNull();
    // The row has not moved, and yet the gap is seen again.
    await line.due();
    expect((await line.look()).gapCount).toBe(1);
    await line.record([lost]);
    await line.due();
    expect((await line.look()).gapCount).toBe(0);
    expect((await line.alert())?.over_at).toBeInstanceOf(Date);
    expect((await line.books()).againAt).toBeNull();
  });
});

describe('R23: what comes later', () => {
  it('R23: an append that commits after the look is found, and until then the hour is not closed', async () => {
    const [other] = (await line.plant()) as [string];
    const producer = await line.pool.connect();
    await producer.query('BEGIN');
    const { rows } = await producer.query(`SELECT outbox.record_event('{"eventName":"a.b.c","eventType":"ORDER",
      "aggregate":{"type":"order","id":"2"},"payload":{}}') AS id`);
    const id = rows[0].id as string;
    await producer.query('SET LOCAL session_replication_role = replica');
    await producer.query('UPDATE outbox.event SET recorded_at = $2::timestamptz WHERE id = $1', [id, HOUR]);
    await producer.query(
      `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{"id":"r"}', settled_at = $2::timestamptz WHERE event_id = $1`,
      [id, HOUR],
    );
    expect(await line.look()).toMatchObject({ closed: false, statuses: { DELIVERED: 1 }, gapCount: 0 });
    expect((await line.books()).againAt).not.toBeNull();
    await line.due();
    expect(await line.look()).toMatchObject({ closed: false });
    await producer.query('COMMIT');
    producer.release();
    await line.due();
    const books = await line.look();
    expect(books).toMatchObject({ closed: true, statuses: { DELIVERED: 2 }, gapCount: 1, asked: 1 });
    expect(await gapsOf()).toEqual([`not_in_audit_log ${id}`]);
    expect(other).not.toBe(id);
  });

  it('R23: what is open is looked at again, and the audit log asked for what has settled since', async () => {
    await line.plant();
    const [open] = (await line.plant({ status: 'STARTED', at: new Date().toISOString() })) as [string];
    await line.asOf([open], HOUR);
    expect(await line.look()).toMatchObject({ statuses: { STARTED: 1, DELIVERED: 1 }, closed: true, asked: 1 });
    expect((await line.books()).againAt).not.toBeNull();
    await line.pool.query(
      `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{"id":"r"}', settled_at = clock_timestamp() WHERE event_id = $1`,
      [open],
    );
    await line.due();
    expect(await line.look()).toMatchObject({ asked: 1, audited: 2, gapCount: 1 });
    expect(await gapsOf()).toEqual([`not_in_audit_log ${open}`]);
  });

  it('R23: what was asked for by the last look that asked for more than what moved is said beside the newest', async () => {
    await line.plant({ count: 3 });
    await line.plant({ status: 'PENDING' });
    await line.pool.query('UPDATE outbox.delivery SET started_at = NULL');
    const first = await line.look();
    expect(first).toMatchObject({ asked: 3, mode: 'whole', lastFull: { mode: 'whole', asked: 3, audited: 3 } });
    await line.pool.query("UPDATE outbox.book_check SET checked_at = now() + interval '1 hour' WHERE hour = $1", [
      HOUR,
    ]);
    await line.due();
    expect(await line.look()).toMatchObject({ asked: 0, audited: 3, mode: 'moved', lastFull: first.lastFull });
    await line.store.lookAgain(HOUR, null);
    expect(await line.look()).toMatchObject({ asked: 3, mode: 'whole' });
    await line.pool.query('UPDATE outbox.book_check SET checked_at = NULL, whole_at = NULL WHERE hour = $1', [HOUR]);
    await line.due();
    const share = await line.look({ mostAsked: 2, random: sequence(4) });
    expect(share).toMatchObject({ mode: 'share', lastFull: { mode: 'share', audited: 3, asked: share.asked } });
    expect(share.asked).toBeLessThan(3);
  });

  it('R23: what is open and does not move is looked at twice as late each time, at most a day; hourly once it moves', async () => {
    const [other] = await line.plant({ status: 'PENDING', count: 2 });
    await line.pool.query('UPDATE outbox.delivery SET started_at = NULL');
    const hours = async () => {
      await line.due();
      const { againAt } = await line.look();
      return Math.round((Date.parse(againAt as string) - Date.now()) / 3_600_000);
    };
    const distances: number[] = [];
    for (let n = 0; n < 7; n += 1) distances.push(await hours());
    expect(distances).toEqual([1, 2, 4, 8, 16, 24, 24]);
    await line.pool.query("UPDATE outbox.delivery SET status = 'STARTED' WHERE event_id = $1", [other]);
    expect([await hours(), await hours()]).toEqual([1, 2]);
    await line.pool.query(`UPDATE outbox.delivery SET status = 'DISCARDED', settled_at = now()`);
    await line.due();
    expect((await line.look()).againAt).toBeNull();
  });

  it('R23: a redrive touches its hour', async () => {
    const [id] = await line.plant({ status: 'DEAD' });
    expect(await line.look()).toMatchObject({ againAt: null });
    // As a redrive leaves it; it was told three minutes ago, after a look of five minutes ago.
    await line.pool.query("UPDATE outbox.book_check SET checked_at = now() - interval '5 minutes' WHERE hour = $1", [
      HOUR,
    ]);
    await line.pool.query(
      "UPDATE outbox.delivery SET status = 'PENDING', epoch = 1, started_at = NULL, due_at = now() WHERE event_id = $1",
      [id],
    );
    await line.pool.query(
      "UPDATE outbox.dead_letter SET state = 'redriven', state_at = now() - interval '3 minutes' WHERE event_id = $1",
      [id],
    );
    const check = line.checker();
    await check(line.hold, new AbortController().signal);
    expect(await line.books()).toMatchObject({ statuses: { PENDING: 1 }, gapCount: 0 });
    expect((await line.books()).againAt).not.toBeNull();
  });

  it('R23: a letter that moves while a look of its hour waits has it looked at once more', async () => {
    const [id] = await line.plant({ status: 'DEAD' });
    const moves = async () => {
      const look = await line.store.takeLook(line.hold, 10);
      if (look === null) throw new Error('expected a look');
      const { rows } = await line.store.readPage(HOUR, null);
      expect(rows).toMatchObject([{ status: 'DEAD' }]);
      // The look has passed it; now it waits, and this is noted two minutes later.
      await line.pool.query(
        "UPDATE outbox.dead_letter SET state_at = clock_timestamp() - interval '121 seconds' WHERE event_id = $1",
        [id],
      );
      await line.store.noteMoved(line.hold, { at: new Date(Date.now() - 300_000).toISOString(), id: randomUUID() });
      await line.store.endLook(line.hold, { ...look, tally: { ...look.tally, statuses: { DEAD: 1 } } });
      const { againAt } = await line.books();
      await line.pool.query('UPDATE outbox.dead_letter SET state_at = NULL WHERE event_id = $1', [id]);
      return againAt;
    };
    await line.store.openHours(line.hold);
    await line.pool.query('DELETE FROM outbox.book_check WHERE hour <> $1', [HOUR]);
    // Its first look, and one of an hour that was looked at before.
    expect(await moves()).not.toBeNull();
    expect((await line.look()).againAt).toBeNull();
    await line.pool.query("UPDATE outbox.book_check SET checked_at = now() - interval '5 minutes', again_at = now()");
    expect(await moves()).not.toBeNull();
    // Nothing moved during this one.
    expect((await line.look()).againAt).toBeNull();
  });

  it('R23: more than it may ask for: a random share, said, and whole at night', async () => {
    await line.plant({ count: 40 });
    const books = await line.look({ mostAsked: 10, random: sequence(40) });
    expect(books).toMatchObject({ audited: 40, asked: 10, gapCount: 0, closed: true });
    expect(books.againAt).toMatch(/T02:00:00Z$/);
    await line.pool.query('UPDATE outbox.book_check SET again_at = now(), whole_at = now() WHERE hour = $1', [HOUR]);
    expect(await line.look({ mostAsked: 10 })).toMatchObject({ audited: 40, asked: 40, againAt: null });
  });
});

describe('R23: who looks, and what ends in the middle', () => {
  it('R23: an audit log that is away leaves the hour open, and never makes a gap', async () => {
    await line.plant({ count: 2 });
    const sick = await startRecordingServer();
    try {
      sick.answer = (response) => response.writeHead(500).end();
      const standing = createStandingLookup(line.http, { baseUrl: sick.origin, apiKey: 'k' });
      await expect(line.look({ standing })).rejects.toMatchObject({ code: 'HTTP.SERVER_ERROR' });
      expect(await line.books()).toMatchObject({ checkedAt: null, gapCount: 0, waitsFor: 'HTTP.SERVER_ERROR' });
      sick.answer = (response) => response.writeHead(200).end('{"results":[]}');
      await expect(line.look({ standing })).rejects.toMatchObject({ code: 'HTTP.BAD_RESPONSE' });
    } finally {
      await sick.close();
    }
    const away = createStandingLookup(line.http, { baseUrl: 'http://127.0.0.1:1', apiKey: 'k' });
    await expect(line.look({ standing: away })).rejects.toMatchObject({ code: 'HTTP.NETWORK' });
    expect(await line.alert()).toBeNull();
    expect(await line.look()).toMatchObject({ gapCount: 0, asked: 2, waitsFor: null });
  });

  it('R23: without a key nothing is said of the audit log, and everything else is', async () => {
    await line.plant({ recorded: false });
    await line.plant({ status: 'DEAD', letter: false });
    expect(await line.look({ standing: null })).toMatchObject({
      audited: 1,
      asked: 0,
      gapCounts: { dead_without_letter: 1 },
    });
  });

  it('R23: an event that settles while it is looked at is no gap', async () => {
    const [dying] = (await line.plant({ status: 'STARTED', at: new Date().toISOString() })) as [string];
    await line.asOf([dying], HOUR);
    const [redriven] = (await line.plant({ recorded: false })) as [string];
    // Its letter is written, and not committed.
    const worker = await line.pool.connect();
    await worker.query('BEGIN');
    await worker.query("UPDATE outbox.delivery SET status = 'DEAD' WHERE event_id = $1", [dying]);
    await worker.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries)
       VALUES (gen_random_uuid(), $1, 0, 'audit.log', 'ORDER', 'HTTP.TLS', 'm', 1, 1)`,
      [dying],
    );
    const books = await line.look({
      // It is dispatched again, and the letter committed, before the audit log answers.
      standing: async (rows) => {
        await line.pool.query(
          "UPDATE outbox.delivery SET status = 'PENDING', epoch = 1, budget_epoch = 1, receipt = NULL, settled_at = NULL, started_at = NULL, due_at = now() WHERE event_id = $1",
          [redriven],
        );
        await worker.query('COMMIT');
        return rows.map(() => false);
      },
    });
    worker.release();
    expect(books).toMatchObject({ gapCount: 0, gaps: [] });
    await line.due();
    expect((await line.look()).gapCount).toBe(0);
  });

  it('R23: a look that ends in the middle is gone on with: nothing is counted twice, nothing left out', async () => {
    await line.plant({ count: 1_500, routingKey: 'erp.sync' });
    await line.plant({ count: 700, status: 'DEAD', letter: false, routingKey: 'erp.sync' });
    for (const point of ['books-before-save', 'books-after-save', 'books-before-save', 'books-before-end']) {
      const die = {
        failpoint: (reached: string) => {
          if (reached === point) throw new Error('killed');
        },
      };
      await expect(line.look(die)).rejects.toThrow('killed');
    }
    await line.due();
    expect(await line.look()).toMatchObject({
      statuses: { DELIVERED: 1_500, DEAD: 700 },
      gapCount: 700,
      gapCounts: { dead_without_letter: 700 },
    });
    expect(await line.alert()).not.toBeNull();
  });

  it('R23: of two relays one looks; who has lost the lease writes nothing', async () => {
    await line.plant();
    await line.store.openHours(line.hold);
    const look = await line.store.takeLook(line.hold, 10);
    const other = { name: 'books', holder: randomUUID() };
    expect(await line.leases.take(other, 10_000)).toBe(false);
    expect(await line.store.takeLook(other, 10)).toBeNull();
    expect(await line.store.openHours(other)).toBe(0);
    await line.leases.release(line.hold);
    expect(await line.leases.take(other, 10_000)).toBe(true);
    if (look === null) throw new Error('expected a look');
    expect(await line.store.saveLook(line.hold, look)).toBe(false);
    expect(await line.store.endLook(line.hold, look)).toBe(false);
    // Whoever has it goes on with that look; one that was begun anew is another.
    expect(await line.store.takeLook(other, 10)).toMatchObject({ id: look.id });
    expect(await line.store.saveLook(other, { ...look, id: randomUUID() })).toBe(false);
    expect(await line.store.endLook(other, { ...look, id: randomUUID() })).toBe(false);
    expect(await line.store.endLook(other, look)).toBe(true);
  });
});

it('R23: a page reads by keys alone, whatever the tables hold', async () => {
  await line.plant({ count: 2_000, routingKey: 'erp.sync' });
  await line.pool.query(
    'INSERT INTO outbox.delivery_attempt (event_id, epoch, n) SELECT event_id, 0, n FROM outbox.delivery, generate_series(1, 2) n',
  );
  await line.pool.query(`INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries)
    SELECT gen_random_uuid(), event_id, 0, 'erp.sync', 'ORDER', 'HTTP.TLS', 'm', 1, 1 FROM outbox.delivery`);
  await line.pool.query('ANALYZE');
  const client = await line.pool.connect();
  try {
    await client.query('SET plan_cache_mode = force_generic_plan');
    await client.query(`PREPARE page AS ${READ_PAGE}`);
    const { rows } = await client.query(`EXPLAIN EXECUTE page('${HOUR}', '${HOUR}', '${randomUUID()}')`);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('event_recorded_at');
    for (const table of ['event', 'delivery', 'delivery_attempt', 'dead_letter']) {
      expect(plan).not.toMatch(new RegExp(`Seq Scan on ${table}\\b`));
    }
    expect(plan).not.toContain('Hash Join');
  } finally {
    await client.query('DEALLOCATE ALL');
    await client.query('RESET ALL');
    client.release();
  }
});

/** Random numbers that are evenly spread. */
function sequence(n: number): () => number {
  let at = 0;
  return () => ((at++ * 7) % n) / n;
}
