/** R23: repairs of the books and their operations API, on real PostgreSQL and the real api. Nothing is fake. */

import { hourAfter } from '../../src/application/delivery/books/ports.js';
import { repairBooks } from '../../src/application/delivery/books/repair-books.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { BOOKS_AGAIN_PATH, BOOKS_PATH } from '../../src/contract/books-api.js';
import { createBookRepairs } from '../../src/infrastructure/prisma/book-repair-store.js';
import { createEffectStore } from '../../src/infrastructure/prisma/effect-store.js';
import { type BooksLine, createBooksLine, HOUR } from '../support/books.js';
import { openTestOps } from '../support/ops.js';
import { expectProblem, startIngestOn } from './ingest-set-up.js';

let line: BooksLine;
beforeEach(async () => {
  line = await createBooksLine();
});
afterEach(() => line.close());

const WORD = { actor: 'ada', reason: 'restored from a backup' };
type Input = Partial<Parameters<typeof repairBooks>[1]>;
const deps = () => ({
  store: line.store,
  repairs: createBookRepairs(line.pool),
  standing: line.standing,
  time: systemTime,
});
const repair = (input: Input = {}, more: Partial<ReturnType<typeof deps>> = {}) =>
  repairBooks(
    { ...deps(), ...more },
    { hour: HOUR, rate: 1_000, force: true, word: WORD, ...input },
    new AbortController().signal,
  );
const deliveryOf = async (id: string) =>
  (await line.pool.query('SELECT * FROM outbox.delivery WHERE event_id = $1', [id])).rows[0];
const lettersOf = async (id: string) =>
  (await line.pool.query('SELECT * FROM outbox.dead_letter WHERE event_id = $1 ORDER BY epoch', [id])).rows;
const told = async () =>
  (await line.pool.query("SELECT * FROM outbox.event WHERE event_type = 'OUTBOX' ORDER BY tenant_id")).rows;

it('R23: each kind of gap is found, named, mended, audited and then balanced', async () => {
  await line.plant({ count: 3 });
  const [gone] = (await line.plant({ tenantId: 'acme' })) as [string];
  await line.pool.query('DELETE FROM outbox.delivery WHERE event_id = $1', [gone]);
  const [tried] = (await line.plant({ status: 'PENDING' })) as [string];
  await line.pool.query('DELETE FROM outbox.delivery WHERE event_id = $1', [tried]);
  await line.pool.query(
    "INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code) VALUES ($1, 2, 1, 'HTTP.TLS')",
    [tried],
  );
  const [buried] = (await line.plant({ status: 'DEAD' })) as [string];
  await line.pool.query('DELETE FROM outbox.delivery WHERE event_id = $1', [buried]);
  const [mute] = (await line.plant({ status: 'DEAD', letter: false })) as [string];
  await line.pool.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code, message, finished_at)
     VALUES ($1, 0, 1, 'HTTP.CLIENT_ERROR', 'no iban', now())`,
    [mute],
  );
  const [closed] = (await line.plant({ status: 'DEAD' })) as [string];
  await line.pool.query("UPDATE outbox.dead_letter SET state = 'discarded' WHERE event_id = $1", [closed]);
  const [older] = (await line.plant({ status: 'DEAD' })) as [string];
  await line.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [older]);
  const [alive] = (await line.plant({ letter: true })) as [string];
  const [lost] = (await line.plant({ recorded: false })) as [string];
  const counts = { no_delivery: 3, dead_without_letter: 3, letter_without_dead: 1, not_in_audit_log: 1 };
  expect(await line.look()).toMatchObject({ gapCount: 8, gapCounts: counts });

  // A dry run counts, and writes nothing.
  expect(await repair({ word: null })).toMatchObject({ kind: 'counted', repairable: 8, tally: { gapCounts: counts } });
  expect(await told()).toEqual([]);
  expect(await deliveryOf(gone)).toBeUndefined();

  expect(await repair()).toMatchObject({ kind: 'repaired', repairable: 8, repaired: counts });
  expect(await deliveryOf(gone)).toMatchObject({
    status: 'PENDING',
    epoch: 10,
    destination: 'audit.log',
    tenant: 'acme',
  });
  // Not in an epoch whose run may be known to Temporal.
  expect(await deliveryOf(tried)).toMatchObject({ status: 'PENDING', epoch: 12, budget_epoch: 12 });
  expect(await deliveryOf(buried)).toMatchObject({ status: 'DEAD', epoch: 0 });
  expect(await lettersOf(mute)).toMatchObject([
    { state: 'open', epoch: 0, code: 'HTTP.CLIENT_ERROR', message: 'no iban', retry_count: 1, effect: 'unknown' },
  ]);
  expect(await lettersOf(closed)).toMatchObject([{ state: 'open', state_actor: 'ada' }]);
  expect(await lettersOf(older)).toMatchObject([
    { state: 'resolved', epoch: 0, state_actor: 'ada', state_reason: WORD.reason },
    { state: 'open', epoch: 1, code: 'WORKFLOW.LOST' },
  ]);
  expect(await lettersOf(alive)).toMatchObject([{ state: 'resolved' }]);
  expect(await deliveryOf(lost)).toMatchObject({ status: 'PENDING', epoch: 1, budget_epoch: 1, receipt: null });
  const events = await told();
  expect(events).toMatchObject([
    { event_name: 'outbox.books.repaired.v1', tenant_id: '', aggregate_id: HOUR, headers: { actor: { id: 'ada' } } },
    { tenant_id: 'acme', payload: { reason: WORD.reason, events: [{ eventId: gone, epoch: 10, gap: 'no_delivery' }] } },
  ]);
  expect(events[0].payload.events).toHaveLength(7);

  const after = await line.look();
  expect(after).toMatchObject({ gapCount: 0, gaps: [] });
  expect((await line.alert())?.over_at).toBeInstanceOf(Date);
});

it('R2, R23: a delivery that is made anew is clear of every run that may have been: of lost ones no row tells', async () => {
  const ids = await line.plant({ status: 'PENDING', count: 4 });
  const [bare, tried, dead, edited] = ids as [string, string, string, string];
  await line.pool.query(
    "INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code) VALUES ($1, 3, 1, 'HTTP.TLS')",
    [tried],
  );
  await line.pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries, state)
     VALUES (gen_random_uuid(), $1, 5, 'audit.log', 'ORDER', 'HTTP.TLS', 'm', 1, 1, 'redriven')`,
    [dead],
  );
  await line.pool.query(
    `INSERT INTO outbox.event_revision (event_id, epoch, payload, content_hash, actor, reason) VALUES ($1, 7, '{}', 'h', 'a', 'r')`,
    [edited],
  );
  await line.pool.query('DELETE FROM outbox.delivery WHERE event_id = ANY ($1)', [ids]);
  await line.look();
  expect(await repair()).toMatchObject({ repaired: { no_delivery: 4 } });
  const epochs = await Promise.all([bare, tried, dead, edited].map(async (id) => (await deliveryOf(id)).epoch));
  expect(epochs).toEqual([10, 13, 15, 17]);
  // What left no letter may have taken effect: `find` is asked before one is written (R18).
  const run = { eventId: bare, epoch: 10, carrier: null };
  expect(await createEffectStore(line.pool).loadDoubtful(run, 'open', 5_000)).toMatchObject({ doubtful: true });
});

it('R23: a repair that ends in the middle is run again and does the rest; what it cannot tell it does not do', async () => {
  const ids = await line.plant({ status: 'DEAD', letter: false, count: 12 });
  await line.look();
  const real = createBookRepairs(line.pool);
  let batches = 0;
  const dying = {
    repair: (...args: Parameters<typeof real.repair>) => {
      batches += 1;
      if (batches > 1) throw new Error('killed');
      return real.repair(...args);
    },
  };
  await expect(repair({ rate: 5 }, { repairs: dying })).rejects.toThrow('killed');
  expect(await repair()).toMatchObject({ kind: 'repaired', repairable: 7, repaired: { dead_without_letter: 7 } });
  for (const id of ids) expect(await lettersOf(id)).toHaveLength(1);
  expect((await told()).flatMap(({ payload }) => payload.events)).toHaveLength(12);
  // Where it cannot be told, it is not done.
  await line.pool.query('DELETE FROM outbox.dead_letter');
  await line.pool.query('ALTER TABLE outbox.event ADD CONSTRAINT none CHECK (false) NOT VALID');
  await expect(repair()).rejects.toThrow('none');
  expect(await lettersOf(ids[0] as string)).toEqual([]);
});

it('R23: more than a few per cent of an hour are refused without a word of force', async () => {
  await line.plant({ count: 60, routingKey: 'erp.sync' });
  await line.plant({ status: 'DEAD', letter: false, count: 4 });
  await line.look();
  // Four are no sign of anything, five are.
  await line.plant({ status: 'DEAD', letter: false });
  expect(await repair({ force: false })).toMatchObject({ kind: 'too-many', repairable: 5 });
  expect(await told()).toEqual([]);
  await line.plant({ count: 40, routingKey: 'erp.sync' });
  expect(await repair({ force: false })).toMatchObject({ kind: 'repaired', repairable: 5 });
});

it('R23: an hour that is not closed, or that retention has begun to remove, is left alone', async () => {
  await line.plant({ status: 'DEAD', letter: false });
  expect(await repair()).toEqual({ kind: 'missing' });
  await line.store.openHours(line.hold);
  expect(await repair()).toEqual({ kind: 'not-closed' });
  await line.look();
  await line.pool.query('UPDATE outbox.book_check SET closed = false WHERE hour = $1', [HOUR]);
  expect(await repair()).toEqual({ kind: 'not-closed' });
  await line.pool.query('UPDATE outbox.book_check SET closed = true WHERE hour = $1', [HOUR]);
  await line.pool.query("INSERT INTO outbox.book VALUES ($1, 'DELIVERED', 1)", [HOUR]);
  expect(await repair()).toEqual({ kind: 'removed' });
  expect(await told()).toEqual([]);
});

it('R23: with the audit log away nothing of it is mended, and what has settled since is left', async () => {
  const [lost] = (await line.plant({ recorded: false })) as [string];
  await line.look();
  await line.ingest.closeApi();
  await expect(repair()).rejects.toMatchObject({ code: 'HTTP.NETWORK' });
  expect(await deliveryOf(lost)).toMatchObject({ status: 'DELIVERED', epoch: 0 });
  const repairs = createBookRepairs(line.pool);
  const gap = { gap: 'not_in_audit_log', eventId: lost, epoch: 0 } as const;
  await line.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [lost]);
  expect(await repairs.repair(HOUR, [gap], WORD)).toEqual([]);
  expect(await told()).toEqual([]);
  await expect(repair({ word: { actor: '', reason: 'r' } })).rejects.toThrow('actor');
});

it('R23: the operations API shows them to an operator without a tenant', async () => {
  const ops = openTestOps(line.pool);
  const api = await startIngestOn(line.ingest.auditUrl, { ops: { ...ops, books: line.store } });
  try {
    const [id] = await line.plant({ status: 'DEAD', letter: false });
    await line.look();
    const operator = await api.key(['dlq:read']);
    const get = (query: string, key: string | null = operator) =>
      api.post(null, { method: 'GET', path: `${BOOKS_PATH}${query}`, key });
    const all = await get('?limit=2');
    expect(all).toMatchObject({ status: 200, body: { items: [{ gapCount: 0 }, {}] } });
    expect((await get(`?limit=2&before=${all.body.next}`)).body.items[0].hour < all.body.next).toBe(true);
    expect((await get('?gaps=true')).body).toMatchObject({
      items: [{ hour: HOUR, gapCount: 1, gaps: [{ gap: 'dead_without_letter', eventId: id }] }],
      next: null,
    });
    expectProblem(await get('', null), 401, 'unauthorized');
    expectProblem(await get('', await api.key(['audit:read'])), 403, 'scope_missing');
    expectProblem(await get('', await api.key(['dlq:write'], 'acme')), 403, 'tenant_forbidden');
    for (const query of [
      '?limit=0',
      '?before=yesterday',
      '?before=2026-13-01T00:00:00Z',
      '?before=2026-02-30T00:00:00Z',
      '?gaps=yes',
      '?x=1',
    ]) {
      expectProblem(await get(query), 400, 'invalid_query');
    }
    expectProblem(await api.post({}, { path: BOOKS_PATH, key: operator }), 405, 'method_not_allowed');

    // After the audit log was restored from a backup: hours that were balanced and closed.
    const writer = await api.key(['dlq:write']);
    const again = (body: object, key = writer) => api.post(body, { path: BOOKS_AGAIN_PATH, key });
    const [lost] = (await line.plant({ at: hourAfter(HOUR), recorded: false })) as [string];
    await line.pool.query('UPDATE outbox.book_check SET again_at = NULL, whole_at = NULL');
    const range = { since: hourAfter(HOUR), until: hourAfter(hourAfter(HOUR)) };
    expect(await again(range)).toMatchObject({ status: 202, body: { hours: 1 } });
    await line.look();
    expect(await line.books(hourAfter(HOUR))).toMatchObject({
      mode: 'whole',
      gaps: [{ gap: 'not_in_audit_log', eventId: lost }],
    });
    expect(await again({ ...range, since: HOUR })).toMatchObject({ body: { hours: 2 } });
    expectProblem(await again(range, operator), 403, 'scope_missing');
    expectProblem(await again(range, await api.key(['dlq:write'], 'acme')), 403, 'tenant_forbidden');
    for (const body of [{}, { ...range, until: range.since }, { ...range, since: 'yesterday' }, { ...range, x: 1 }]) {
      expectProblem(await again(body), 422, 'invalid_request');
    }
  } finally {
    await ops.deadLetters.close();
    await api.stop();
  }
});
