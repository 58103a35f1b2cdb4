/**
 * Redrive (R2), discard and redrive jobs on a real PostgreSQL; races are held by row locks of a second session. Nothing is
 * fake. Steps of a job are asked for one by one, so that its rate is read from its row instead of a clock.
 */
import { randomUUID } from 'node:crypto';
import { FilterError } from '../../src/application/delivery/dead-letters/check-filter.js';
import type { DeadLetterFilter } from '../../src/application/delivery/dead-letters/ports.js';
import {
  countRedrive,
  createRedriveJob,
  type RedriveJobInput,
  runRedriveJobs,
} from '../../src/application/delivery/dead-letters/redrive-job.js';
import { discardLetters, redriveLetters } from '../../src/application/delivery/dead-letters/redrive-letters.js';
import type { RedriveJobStore } from '../../src/application/delivery/dead-letters/redrive-ports.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { createDeadLetterReader } from '../../src/infrastructure/prisma/dead-letter-reader.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createRedriveJobStore } from '../../src/infrastructure/prisma/redrive-job-store.js';
import { createDeliveryStore, type DeliveryStore, RECEIPT, silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';

const T = 5_000;
const WORD = { actor: 'ada', reason: 'the receiver is mended' };
const ANY: DeadLetterFilter = {
  eventType: null,
  code: null,
  tenantId: null,
  destination: null,
  since: null,
  until: null,
  text: null,
  outageId: null,
};

let store: DeliveryStore;
let jobs: RedriveJobStore;
const hold = { name: 'jobs', holder: randomUUID() };
beforeEach(async () => {
  store = await createDeliveryStore();
  jobs = createRedriveJobStore(store.pool, { lateMs: 0 });
  await createLeaseStore(store.pool).take(hold, 600_000);
});
afterEach(() => store.close());

type Append = Parameters<DeliveryStore['append']>[0];

/** The event's id, and its open letter's. */
async function die(options: Append = {}, message = 'refused'): Promise<{ id: string; eventId: string }> {
  const eventId = await store.append(options);
  return { eventId, id: await dieAgain(eventId, 0, message) };
}

async function dieAgain(eventId: string, epoch: number, message = 'refused'): Promise<string> {
  const end = { code: 'HTTP.CLIENT_ERROR' as const, message, attempt: null, workflowId: 'wf', runId: 'run' };
  const answer = await store.deadLetters.recordDeadLetter({ run: { eventId, epoch, carrier: null }, ...end }, T);
  if (answer.kind !== 'recorded') throw new Error(`expected a letter, got ${answer.kind}`);
  return answer.id;
}

const deps = () => ({ actions: store.actions, ask: async () => ({ kind: 'not-asked' }) as const, log: silentLog });
const redrive = (ids: readonly string[], tenantId: string | null = null, actor = 'ada') =>
  redriveLetters(deps(), { ids, tenantId }, { ...WORD, actor });
const discard = (ids: readonly string[], tenantId: string | null = null) =>
  discardLetters(deps(), { ids, tenantId }, WORD);
const letterOf = async (id: string) =>
  (await store.pool.query('SELECT * FROM outbox.dead_letter WHERE id = $1', [id])).rows[0];
/** What was appended for the audit log, in its order. */
const told = async () => {
  const text = `SELECT event_name, tenant_id, routing_key, aggregate_type, aggregate_id, headers, payload
    FROM outbox.event WHERE event_type = 'OUTBOX' AND event_name LIKE 'outbox.dead_letter.%' ORDER BY id`;
  return (await store.pool.query(text)).rows;
};
const toldOfJobs = async () => {
  const text = `SELECT event_name AS name, tenant_id AS tenant, aggregate_id AS id, headers->'actor'->>'id' AS actor, payload
    FROM outbox.event WHERE event_name LIKE '%redrive_job%' ORDER BY recorded_at, id`;
  return (await store.pool.query(text)).rows;
};
const redrivenTo = async (epoch: number) =>
  (
    await store.pool.query(
      `SELECT count(*)::int AS n FROM outbox.delivery WHERE event_type <> 'OUTBOX' AND epoch = $1 AND status = 'PENDING'`,
      [epoch],
    )
  ).rows[0].n as number;

/** Held in a second session until it is let go; `waiter`: resolves when another session waits for it. */
async function holdRow(text: string, ...values: unknown[]) {
  const client = await store.pool.connect();
  await client.query('BEGIN');
  await client.query(text, values);
  return {
    waiter: (sessions = 1) =>
      eventually('sessions that wait for the row', async () => {
        const { rows } = await store.pool.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length >= sessions;
      }),
    end: async (how: 'COMMIT' | 'ROLLBACK') => {
      await client.query(how);
      client.release();
    },
  };
}

describe('R2: redrive', () => {
  it('R2: a dead event becomes PENDING and due at epoch + 1, with a new budget and no policy, token or carrier', async () => {
    const eventId = await store.append();
    await store.pool.query(
      "UPDATE outbox.delivery SET carrier = 'b', start_tries = 3, redispatches = 2, waited_ms = 9 WHERE event_id = $1",
      [eventId],
    );
    const end = { code: 'HTTP.TLS' as const, message: 'm', attempt: null, workflowId: 'wf', runId: 'run' };
    const letter = await store.deadLetters.recordDeadLetter({ run: { eventId, epoch: 0, carrier: 'b' }, ...end }, T);
    const id = 'id' in letter ? letter.id : '';
    expect(await redrive([id])).toEqual([{ kind: 'redriven', id, eventId, epoch: 1 }]);
    const columns = `status, epoch, budget_epoch, carrier, lease_token, policy_hash, start_tries, redispatches, waited_ms::int,
      started_at, settled_at, due_at <= clock_timestamp() AS due`;
    expect(await store.one(`SELECT ${columns} FROM outbox.delivery WHERE event_id = $1`, eventId)).toEqual({
      status: 'PENDING',
      epoch: 1,
      budget_epoch: 1,
      carrier: null,
      lease_token: null,
      policy_hash: null,
      start_tries: 0,
      redispatches: 0,
      waited_ms: 0,
      started_at: null,
      settled_at: null,
      due: true,
    });
    expect(await letterOf(id)).toMatchObject({ state: 'redriven', state_actor: 'ada', state_reason: WORD.reason });
    expect((await letterOf(id)).state_at).toBeInstanceOf(Date);
  });

  it('R2: several at once, each with an answer of its own: missing, closed, running and alive are told apart', async () => {
    const [one, two, closed] = [await die(), await die(), await die()];
    const [alive, unknown] = [await store.append(), randomUUID()];
    await redrive([closed.id], null, 'bob');
    const outcomes = await redrive([one.id, unknown, closed.id, alive, two.eventId, closed.eventId]);
    expect(outcomes).toMatchObject([
      { kind: 'redriven', id: one.id },
      { kind: 'missing' },
      { kind: 'not-open', state: 'redriven', actor: 'bob', at: expect.stringMatching(/^2/) },
      { kind: 'not-open', state: 'started', actor: null },
      { kind: 'redriven', id: two.id, eventId: two.eventId },
      { kind: 'not-open', state: 'redriven', actor: 'bob' },
    ]);
    expect(await store.delivery(closed.eventId)).toMatchObject({ epoch: 1 });
    expect(await store.delivery(alive)).toMatchObject({ epoch: 0, status: 'STARTED' });
  });

  it('R2: one event of the outbox tells the audit log of each batch and tenant, in the same transaction', async () => {
    const made = [await die(), await die(), await die({ tenantId: 'umbrella' }), await die({ tenantId: '' })];
    await redrive(made.map(({ id }) => id));
    const events = await told();
    expect(events).toHaveLength(3);
    expect(events.find(({ tenant_id }) => tenant_id === 'acme')).toEqual({
      event_name: 'outbox.dead_letter.redriven.v1',
      tenant_id: 'acme',
      routing_key: 'audit.log',
      aggregate_type: 'dead_letters',
      aggregate_id: '2',
      headers: { actor: { type: 'user', id: 'ada' } },
      payload: {
        reason: WORD.reason,
        letters: made.slice(0, 2).map((one) => ({ ...one, epoch: 1, code: 'HTTP.CLIENT_ERROR' })),
      },
    });
    expect(events.find(({ tenant_id }) => tenant_id === 'umbrella')).toMatchObject({
      aggregate_type: 'dead_letter',
      aggregate_id: made[2]?.id,
      payload: { letters: [{ id: made[2]?.id }] },
    });
    // Where it cannot be told, it is not done.
    const more = await die();
    await store.pool.query('ALTER TABLE outbox.event ADD CONSTRAINT none CHECK (false) NOT VALID');
    await expect(redrive([more.id])).rejects.toThrow('none');
    await expect(discard([more.id])).rejects.toThrow('none');
    expect(await letterOf(more.id)).toMatchObject({ state: 'open' });
    expect(await store.delivery(more.eventId)).toMatchObject({ status: 'DEAD', epoch: 0 });
  });

  it('R2, F24: of two people at once one redrives, and the other is told who did', async () => {
    const { id, eventId } = await die();
    const held = await holdRow('SELECT FROM outbox.dead_letter WHERE id = $1 FOR UPDATE', id);
    const ada = redrive([id], null, 'ada'); // has the delivery row, waits for its letter
    await held.waiter(1);
    const bob = redrive([id], null, 'bob'); // waits for the delivery row
    await held.waiter(2);
    await held.end('ROLLBACK');
    expect(await ada).toMatchObject([{ kind: 'redriven', epoch: 1 }]);
    expect(await bob).toMatchObject([{ kind: 'not-open', state: 'redriven', actor: 'ada' }]);
    expect(await store.delivery(eventId)).toMatchObject({ epoch: 1 });
    expect(await told()).toHaveLength(1);
  });

  it('R2: what was said of one letter does not redrive the next one, which is linked to it', async () => {
    const { id, eventId } = await die();
    await redrive([id]);
    const second = await dieAgain(eventId, 1);
    expect(await letterOf(second)).toMatchObject({ previous_id: id, state: 'open', epoch: 1 });
    expect(await redrive([id], null, 'bob')).toMatchObject([{ kind: 'not-open', state: 'redriven', actor: 'ada' }]);
    // Neither where it was open when it was looked at.
    expect(await store.actions.redrive([{ id, eventId, revisions: 0 }], WORD)).toEqual([]);
    expect(await store.actions.discard([{ id, eventId }], WORD)).toEqual([]);
    expect(await store.delivery(eventId)).toMatchObject({ status: 'DEAD', epoch: 1 });
    expect(await redrive([second])).toMatchObject([{ kind: 'redriven', epoch: 2 }]);
  });

  it('R16: a receipt that settles first wins: the letter is resolved, and the redrive that waited does nothing', async () => {
    const { id, eventId } = await die();
    const held = await holdRow(
      `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{"id":"r"}' WHERE event_id = $1`,
      eventId,
    );
    const asked = redrive([id]);
    await held.waiter();
    await held.end('COMMIT');
    expect(await asked).toMatchObject([{ kind: 'not-open' }]);
    expect(await store.delivery(eventId)).toMatchObject({ status: 'DELIVERED', epoch: 0 });
    expect(await told()).toEqual([]);
  });

  it('R16: a redrive that is first wins: the receipt of the epoch before is superseded', async () => {
    const { id, eventId } = await die();
    const held = await holdRow('SELECT FROM outbox.dead_letter WHERE id = $1 FOR UPDATE', id);
    const asked = redrive([id]); // has the delivery row, waits for its letter
    await held.waiter();
    const settling = store.attempts.settle({ eventId, epoch: 0, carrier: null }, RECEIPT, null, T);
    await held.end('ROLLBACK');
    expect(await asked).toMatchObject([{ kind: 'redriven' }]);
    expect(await settling).toBe('superseded');
    expect(await store.delivery(eventId)).toMatchObject({ status: 'PENDING', epoch: 1 });
  });

  it('R2: batches that overlap in other orders never wait for each other in a circle', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 40; i += 1) ids.push((await die()).id);
    const batches = [ids, [...ids].reverse(), [...ids].sort(), ids.slice(10), ids.slice(0, 30).reverse()];
    const outcomes = await Promise.all(batches.map((batch) => redrive(batch)));
    expect(outcomes.flat().filter(({ kind }) => kind === 'redriven')).toHaveLength(40);
    expect(await redrivenTo(1)).toBe(40);
  });

  it("a key of one tenant neither sees nor moves another tenant's letters", async () => {
    const { id, eventId } = await die({ tenantId: 'umbrella' });
    const running = await store.append({ tenantId: 'umbrella' });
    for (const act of [redrive, discard]) {
      expect(await act([id, eventId, running], 'acme')).toEqual([
        { kind: 'missing' },
        { kind: 'missing' },
        { kind: 'missing' },
      ]);
    }
    expect(await redrive([id], 'umbrella')).toMatchObject([{ kind: 'redriven' }]);
  });

  it('ids, actor and reason are asked for', async () => {
    const { id } = await die();
    await expect(redrive([])).rejects.toThrow('ids');
    await expect(redrive(Array.from({ length: 101 }, () => id))).rejects.toThrow('ids');
    await expect(redrive([id], null, '')).rejects.toThrow('actor');
    await expect(redriveLetters(deps(), { ids: [id], tenantId: null }, { actor: 'a', reason: '' })).rejects.toThrow(
      'reason',
    );
    // The same one twice is one redrive.
    expect(await redrive([id, id])).toMatchObject([{ kind: 'redriven' }, { kind: 'redriven' }]);
    expect(await told()).toMatchObject([{ payload: { letters: [{ id }] } }]);
  });
});

describe('discard', () => {
  it('marks letter and event, says who and why, deletes nothing, and cannot be redriven', async () => {
    const { id, eventId } = await die();
    expect(await discard([id])).toEqual([{ kind: 'discarded', id, eventId, epoch: 0 }]);
    expect(await letterOf(id)).toMatchObject({ state: 'discarded', state_actor: 'ada', state_reason: WORD.reason });
    expect(await store.delivery(eventId)).toMatchObject({ status: 'DISCARDED', epoch: 0 });
    expect(await store.one('SELECT payload FROM outbox.event WHERE id = $1', eventId)).toEqual({
      payload: { total: 1 },
    });
    expect(await told()).toMatchObject([
      {
        event_name: 'outbox.dead_letter.discarded.v1',
        aggregate_id: id,
        payload: { letters: [{ id, eventId, epoch: 0 }] },
      },
    ]);
    for (const act of [redrive, discard]) {
      expect(await act([id])).toMatchObject([{ kind: 'not-open', state: 'discarded', actor: 'ada' }]);
    }
    expect(await store.attempts.settle({ eventId, epoch: 0, carrier: null }, RECEIPT, null, T)).toBe('superseded');
  });
});

describe('redrive jobs', () => {
  const makeJob = async (more: Partial<RedriveJobInput> = {}, filter: Partial<DeadLetterFilter> = {}) => {
    const input = { ...WORD, rate: 200, cap: null, filter: { ...ANY, ...filter }, ...more };
    const job = await createRedriveJob({ jobs, now: () => new Date() }, input);
    if (job === null) throw new Error('expected something to redrive');
    return job;
  };
  /** Its next step, at once. */
  const step = async (on = jobs) => {
    await store.pool.query('UPDATE outbox.redrive_job SET next_at = clock_timestamp()');
    return on.step(hold);
  };
  const nextInMs = async (id: string) => {
    const text = `SELECT (extract(epoch FROM next_at - (SELECT max(state_at) FROM outbox.dead_letter)) * 1000)::float8 AS ms
      FROM outbox.redrive_job WHERE id = $1`;
    return (await store.one<{ ms: number }>(text, id)).ms;
  };

  it('counts without writing, by destination, type and code', async () => {
    await die();
    await die();
    await die({ routingKey: 'crm', eventType: 'CRM' });
    await redrive([(await die()).id]);
    const count = await countRedrive({ jobs, now: () => new Date() }, ANY);
    expect(count).toEqual({
      count: 3,
      edited: 0,
      groups: [
        { destination: 'test.destination', eventType: 'ORDER', code: 'HTTP.CLIENT_ERROR', count: 2 },
        { destination: 'crm', eventType: 'CRM', code: 'HTTP.CLIENT_ERROR', count: 1 },
      ],
    });
    expect(await redrivenTo(1)).toBe(1);
    expect(await jobs.list({ tenantId: null, before: null, limit: 10 })).toEqual([]);
    expect(
      await createRedriveJob(
        { jobs, now: () => new Date() },
        { ...WORD, rate: 1, cap: null, filter: { ...ANY, eventType: 'NONE' } },
      ),
    ).toBeNull();
  });

  it('walks its letters in batches of its rate, tells each batch, and ends; what dies meanwhile is not its own', async () => {
    const made: { id: string; eventId: string }[] = [];
    for (let i = 0; i < 5; i += 1) made.push(await die());
    const foreign = await die({ eventType: 'CRM' });
    const job = await makeJob({ rate: 2 }, { eventType: 'ORDER' });
    expect(job).toMatchObject({ state: 'running', expected: 5, redriven: 0, rate: 2, actor: 'ada', endedAt: null });
    const first = await jobs.step(hold);
    expect(first).toMatchObject({ kind: 'stepped', job: { id: job.id, redriven: 2, state: 'running' } });
    // Two letters at two a second: a second to the next step, whoever asks for it.
    expect(Math.round((await nextInMs(job.id)) / 100)).toBe(10);
    const waiting = await jobs.step(hold);
    expect(waiting.kind).toBe('wait');
    expect(await redrivenTo(1)).toBe(2);
    // The oldest first. One fails again before the walk ends.
    const again = await dieAgain(made[0]?.eventId as string, 1);
    expect(await step()).toMatchObject({ job: { redriven: 4 } });
    expect(await step()).toMatchObject({
      job: { redriven: 5, skipped: 0, state: 'done', endedAt: expect.any(String) },
    });
    expect(await jobs.step(hold)).toEqual({ kind: 'idle' });
    expect(await letterOf(again)).toMatchObject({ state: 'open', previous_id: made[0]?.id });
    expect(await letterOf(foreign.id)).toMatchObject({ state: 'open' });
    const events = await told();
    expect(events.map(({ payload }) => payload.letters.map(({ id }: { id: string }) => id))).toEqual([
      [made[0]?.id, made[1]?.id],
      [made[2]?.id, made[3]?.id],
      [made[4]?.id],
    ]);
    for (const { payload } of events) expect(payload).toMatchObject({ jobId: job.id, reason: WORD.reason });
  });

  it('stops at its cap', async () => {
    for (let i = 0; i < 4; i += 1) await die();
    const job = await makeJob({ cap: 3, rate: 2 });
    expect(job.expected).toBe(3);
    await step();
    expect(await step()).toMatchObject({ job: { redriven: 3, state: 'done' } });
    expect(await redrivenTo(1)).toBe(3);
  });

  it('two jobs over the same letters redrive each once, beside each other, and so does a person between them', async () => {
    const made: string[] = [];
    for (let i = 0; i < 30; i += 1) made.push((await die()).id);
    const [one, two] = [await makeJob({ rate: 7 }), await makeJob({ rate: 5 })];
    for (let turn = 0; turn < 12; turn += 1) await Promise.all([step(), step(), redrive([made[turn * 2] as string])]);
    const ended = [await jobs.show(one.id, null), await jobs.show(two.id, null)];
    expect(ended.map((job) => job?.state)).toEqual(['done', 'done']);
    expect(await redrivenTo(1)).toBe(30);
    expect(await redrivenTo(2)).toBe(0);
    const ids = (await told()).flatMap(({ payload }) => payload.letters.map(({ id }: { id: string }) => id));
    expect(ids.sort()).toEqual([...made].sort());
  });

  it('R16: a letter that settles between the look and the lock is skipped and counted', async () => {
    const [first, second] = [await die(), await die()];
    await makeJob();
    const held = await holdRow(
      `UPDATE outbox.delivery SET status = 'DELIVERED', receipt = '{"id":"r"}' WHERE event_id = $1`,
      first.eventId,
    );
    const stepping = jobs.step(hold);
    await held.waiter();
    await held.end('COMMIT');
    expect(await stepping).toMatchObject({ job: { redriven: 1, skipped: 1, state: 'done' } });
    expect(await store.delivery(first.eventId)).toMatchObject({ status: 'DELIVERED', epoch: 0 });
    expect(await store.delivery(second.eventId)).toMatchObject({ epoch: 1 });
  });

  it('R19: exactly what the outage of a destination made', async () => {
    const outage = randomUUID();
    await store.pool.query(
      `INSERT INTO outbox.outage (id, destination, first_failure_at, opened_at, closed_at, code)
       VALUES ($1, 'test.destination', now() - interval '2 hours', now() - interval '110 minutes', now() - interval '1 hour', 'HTTP.TIMEOUT')`,
      [outage],
    );
    const [made, other, later, elsewhere] = [await die(), await die(), await die(), await die({ routingKey: 'crm' })];
    const place = (id: string, code: string, minutes: number) =>
      store.pool.query(
        `UPDATE outbox.dead_letter SET code = $2, last_failed_at = now() - $3 * interval '1 minute' WHERE id = $1`,
        [id, code, minutes],
      );
    await place(made.id, 'HTTP.TIMEOUT', 90);
    await place(other.id, 'HTTP.CLIENT_ERROR', 90);
    await place(later.id, 'HTTP.TIMEOUT', 30);
    await place(elsewhere.id, 'HTTP.TIMEOUT', 90);
    expect(await createDeadLetterReader(store.pool).findLatestOutage('test.destination')).toBe(outage);
    expect(await createDeadLetterReader(store.pool).findLatestOutage('crm')).toBeNull();
    expect(await makeJob({}, { outageId: outage })).toMatchObject({ expected: 1 });
    expect(await step()).toMatchObject({ job: { redriven: 1, state: 'done' } });
    expect(await store.delivery(made.eventId)).toMatchObject({ status: 'PENDING', epoch: 1 });
    expect(await redrivenTo(1)).toBe(1);
  });

  it('R23: a letter that cannot be moved, as its event is not dead, is skipped once and does not hold the walk', async () => {
    const [odd, second] = [await die(), await die()];
    await store.pool.query(`UPDATE outbox.delivery SET status = 'STARTED' WHERE event_id = $1`, [odd.eventId]);
    await makeJob({ rate: 1 });
    expect(await step()).toMatchObject({ job: { redriven: 0, skipped: 1, state: 'running' } });
    expect(await step()).toMatchObject({ job: { redriven: 1, skipped: 1 } });
    expect(await step()).toMatchObject({ job: { state: 'done' } });
    expect(await store.delivery(second.eventId)).toMatchObject({ epoch: 1 });
    expect(await letterOf(odd.id)).toMatchObject({ state: 'open' });
  });

  it('R23: a letter that was being written when the job was made is redriven, too, once the walk has gone back for it', async () => {
    const early = await die();
    const odd = await die();
    await store.pool.query(`UPDATE outbox.delivery SET status = 'STARTED' WHERE event_id = $1`, [odd.eventId]);
    const late = await store.append();
    const writer = await store.pool.connect();
    await writer.query('BEGIN');
    await writer.query("UPDATE outbox.delivery SET status = 'DEAD', settled_at = now() WHERE event_id = $1", [late]);
    await writer.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count, max_retries)
       SELECT gen_random_uuid(), event_id, epoch, destination, event_type, tenant, 'HTTP.TLS', 'm', 1, 1
       FROM outbox.delivery WHERE event_id = $1`,
      [late],
    );
    // The walk ends behind the place of the one that is not visible yet.
    const second = await die();
    const job = await makeJob();
    const patient = createRedriveJobStore(store.pool, { lateMs: 60_000 });
    const walked = await step(patient);
    expect(walked).toMatchObject({ job: { expected: 3, redriven: 2, skipped: 1, state: 'running', endedAt: null } });
    // Not before everything that was under way has ended.
    const at = Date.parse((await patient.show(job.id, null))?.looksAgainAt as string);
    expect(at - Date.parse(job.createdAt)).toBe(60_000);
    expect(await patient.step(hold)).toMatchObject({ kind: 'wait' });
    await writer.query('COMMIT');
    writer.release();
    expect(await step(patient)).toMatchObject({
      job: { redriven: 3, skipped: 1, state: 'done', looksAgainAt: null },
    });
    for (const eventId of [early.eventId, second.eventId, late]) {
      expect(await store.delivery(eventId)).toMatchObject({ status: 'PENDING', epoch: 1 });
    }
  });

  it('R21: a step is fenced by the lease: another holder, or a stopped lease, redrives nothing', async () => {
    await die();
    await makeJob();
    expect(await jobs.step({ ...hold, holder: randomUUID() })).toEqual({ kind: 'idle' });
    await store.pool.query(`UPDATE outbox.lease SET stopped_reason = 'test'`);
    expect(await jobs.step(hold)).toEqual({ kind: 'idle' });
    expect(await redrivenTo(1)).toBe(0);
  });

  it('a step that fails changes nothing, says why, lets the others go on, and succeeds later', async () => {
    const { id } = await die({ tenantId: 'umbrella' });
    await die();
    const [bad, good] = [await makeJob({}, { tenantId: 'umbrella' }), await makeJob({}, { tenantId: 'acme' })];
    await store.pool.query(`ALTER TABLE outbox.event ADD CONSTRAINT none CHECK (tenant_id <> 'umbrella') NOT VALID`);
    await expect(jobs.step(hold)).rejects.toThrow('none');
    expect(await jobs.show(bad.id, null)).toMatchObject({ state: 'running', redriven: 0, error: 'error 23514' });
    expect(await letterOf(id)).toMatchObject({ state: 'open' });
    expect(await jobs.step(hold)).toMatchObject({ job: { id: good.id, state: 'done' } });
    await store.pool.query('ALTER TABLE outbox.event DROP CONSTRAINT none');
    expect(await step()).toMatchObject({ job: { id: bad.id, state: 'done', redriven: 1, error: null } });
  });

  it('is cancelled: what is redriven stays so, the rest stays open', async () => {
    for (let i = 0; i < 3; i += 1) await die();
    const job = await makeJob({ rate: 1 });
    await step();
    expect(await jobs.cancel(job.id, 'acme', 'bob')).toBeNull();
    expect(await jobs.cancel(job.id, null, 'bob')).toMatchObject({ state: 'cancelled', endedBy: 'bob', redriven: 1 });
    expect(await step()).toEqual({ kind: 'idle' });
    expect(await redrivenTo(1)).toBe(1);
    expect(await jobs.cancel(job.id, null, 'eve')).toMatchObject({ endedBy: 'bob' });
    expect(await jobs.cancel(randomUUID(), null, 'eve')).toBeNull();
  });

  it('who made it and who cancelled it is told to the audit log, in the same transaction', async () => {
    for (let i = 0; i < 2; i += 1) await die();
    const job = await makeJob({ rate: 1, tenantId: 'acme' }, { code: 'HTTP.CLIENT_ERROR', tenantId: 'acme' });
    await step();
    for (const actor of ['bob', 'eve']) await jobs.cancel(job.id, null, actor);
    const filter = { code: 'HTTP.CLIENT_ERROR', tenantId: 'acme' };
    expect(await toldOfJobs()).toEqual([
      {
        name: 'outbox.redrive_job.created.v1',
        tenant: 'acme',
        id: job.id,
        actor: 'ada',
        payload: { reason: WORD.reason, filter, rate: 1, cap: null, expected: 2 },
      },
      { name: 'outbox.redrive_job.cancelled.v1', tenant: 'acme', id: job.id, actor: 'bob', payload: { redriven: 1 } },
    ]);
    await store.pool.query('ALTER TABLE outbox.event ADD CONSTRAINT none CHECK (false) NOT VALID');
    await expect(makeJob()).rejects.toThrow('none');
    expect(await jobs.list({ tenantId: null, before: null, limit: 10 })).toHaveLength(1);
  });

  it('what is done to letters of our own events is told to nobody: it would make the next one', async () => {
    const own = { eventType: 'OUTBOX' };
    const [one, two, three, other] = [await die(own), await die(own), await die(own), await die()];
    await redrive([one.id, other.id]);
    await discard([two.id]);
    await makeJob({}, own);
    expect(await step()).toMatchObject({ job: { redriven: 1, state: 'done' } });
    expect(await store.delivery(three.eventId)).toMatchObject({ status: 'PENDING', epoch: 1 });
    expect((await told()).flatMap(({ payload }) => payload.letters)).toMatchObject([{ id: other.id }]);
    expect(await toldOfJobs()).toEqual([]);
    expect(await letterOf(two.id)).toMatchObject({ state: 'discarded', state_actor: 'ada' });
  });

  it('the turn steps every job until none runs, a hostile text among its filters found as it is', async () => {
    const text = `%_'";--\\ </script> \${x}`;
    const wanted = await die({}, `it said ${text}!`);
    const other = await die({}, `it said ${text.replace('%', 'x')}!`);
    const since = new Date(Date.now() - 60_000).toISOString();
    const job = await makeJob({ rate: 1_000 }, { text: text.toUpperCase(), since });
    expect(job.expected).toBe(1);
    await runRedriveJobs({ jobs, time: systemTime, log: silentLog }, hold, new AbortController().signal);
    expect(await jobs.show(job.id, null)).toMatchObject({ state: 'done', redriven: 1 });
    expect(await letterOf(wanted.id)).toMatchObject({ state: 'redriven' });
    expect(await letterOf(other.id)).toMatchObject({ state: 'open' });
  });

  it('filters, rate, cap and tenant are checked; a tenant sees its own jobs only', async () => {
    await die();
    await expect(makeJob({}, { text: 'x' })).rejects.toThrow(FilterError);
    for (const rate of [0, 1.5, 1_001]) await expect(makeJob({ rate })).rejects.toThrow('rate');
    for (const cap of [0, 0.5]) await expect(makeJob({ cap })).rejects.toThrow('cap');
    const [all, own] = [await makeJob(), await makeJob({ tenantId: 'acme' }, { tenantId: 'acme' })];
    const page = (tenantId: string | null, before: string | null = null, limit = 10) =>
      jobs.list({ tenantId, before, limit });
    expect((await page(null)).map(({ id }) => id)).toEqual([own.id, all.id]);
    expect((await page(null, own.id, 1)).map(({ id }) => id)).toEqual([all.id]);
    expect((await page('acme')).map(({ id }) => id)).toEqual([own.id]);
    expect(await jobs.show(all.id, 'acme')).toBeNull();
  });
});
