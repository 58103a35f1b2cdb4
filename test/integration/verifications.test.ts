/**
 * Verifications as jobs: asked for over HTTP at an api without any key of the log, done by workers under a lease. Real:
 * PostgreSQL, HTTP, the sealer, signatures, a file anchor, a worker's process that is killed. Fake: a log whose reading hangs
 * or fails where a test says so; the half minute after which a worker counts as lost is written into its row.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import { AnchorUnavailableError } from '../../src/application/audit/log/ports.js';
import type { DutyHold, VerificationQueue } from '../../src/application/audit/monitor/ports-verification.js';
import {
  type EndedVerification,
  type OpenedLog,
  runVerifications,
} from '../../src/application/audit/monitor/run-verifications.js';
import { StoreUnavailableError } from '../../src/application/audit/ports.js';
import type { VerifyStore } from '../../src/application/audit/verify/ports.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { VERIFICATIONS_PATH, type Verification } from '../../src/contract/verifications-api.js';
import { formatSignerKey, type SignerKey } from '../../src/domain/audit/note-key.js';
import { loadSettings } from '../../src/infrastructure/config/load-settings.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createVerificationBook, createVerificationQueue } from '../../src/infrastructure/prisma/verification-store.js';
import { createVerifyStore } from '../../src/infrastructure/prisma/verify-store.js';
import type { RoleContext } from '../../src/main/role.js';
import { createSessionCheck } from '../../src/main/session-check.js';
import { startVerifications } from '../../src/main/start-verifications.js';
import { eventually } from '../support/eventually.js';
import { openConnections } from '../support/open-connections.js';
import { expectProblem, startIngestOn, type TestIngest } from './ingest-set-up.js';
import { newKeys, withoutTriggers } from './log-set-up.js';
import { type SealedLog, startSealedLog } from './verify-set-up.js';

let log: SealedLog;
let ids: string[];
let queue: VerificationQueue;
let api: TestIngest;
let operator: string;
let reader: string;

beforeEach(async () => {
  log = await startSealedLog({ limit: 4 });
  ids = await log.write(10);
  await log.seal();
  await log.checkpoint();
  queue = createVerificationQueue(log.pool);
  api = await startIngestOn(log.auditUrl);
  operator = await api.key(['dlq:write', 'audit:read']);
  reader = await api.key(['audit:read']);
});
afterEach(async () => {
  await api.stop();
  await log.stop();
});

const ask = (body: unknown = {}, key: string | null = operator) => api.post(body, { path: VERIFICATIONS_PATH, key });
const get = (path = '', key: string | null = reader) =>
  api.post('', { method: 'GET', path: `${VERIFICATIONS_PATH}${path}`, key });
const jobOf = async (id: string): Promise<Verification> => (await get(`/${id}`)).body;
const rowOf = async (id: string) =>
  (await log.pool.query('SELECT * FROM audit.verification WHERE id = $1', [id])).rows[0];

/** The duty's lease for one more holder, whoever had it. */
async function takeDuty(): Promise<DutyHold> {
  await log.pool.query('UPDATE audit.lease SET until = now()');
  const hold = { name: 'verify', holder: randomUUID() };
  expect(await createLeaseStore(log.pool, 'audit').take(hold, 600_000)).toBe(true);
  return hold;
}

interface Given {
  readonly store?: Partial<VerifyStore>;
  readonly anchor?: OpenedLog['anchor'];
  readonly queue?: Partial<VerificationQueue>;
  readonly everyHours?: number;
}

/** As a worker's process has it, with a beat every ten milliseconds. */
function worker(given: Given = {}) {
  const ended: EndedVerification[] = [];
  let closed = 0;
  const open = (): OpenedLog => ({
    store: { ...createVerifyStore(log.pool), ...given.store },
    leaves: createLeafStore(log.pool),
    tools: NOTE_TOOLS,
    keys: log.keys,
    anchor: given.anchor === undefined ? log.anchor : given.anchor,
    close: async () => {
      closed++;
    },
  });
  const turn = runVerifications(
    {
      queue: { ...queue, ...given.queue },
      open,
      sleep: (_, signal) => systemTime.sleep(10, signal),
      explain: (error) => `because ${(error as Error).message}`,
      onEnded: (one) => ended.push(one),
    },
    given.everyHours ?? 0,
  );
  return { ended, turn, closed: () => closed };
}
const GOES_ON = new AbortController().signal;
async function work(given: Given = {}): Promise<EndedVerification[]> {
  const one = worker(given);
  await one.turn(await takeDuty(), GOES_ON);
  expect(one.closed()).toBe(one.ended.length);
  return one.ended;
}
const loseWorker = () =>
  log.pool.query(`UPDATE audit.verification SET beat_at = beat_at - interval '31 seconds' WHERE state = 'running'`);

describe('asking', () => {
  it('of an api that has no key of the log; a worker does it, and what it found is there to read', async () => {
    const asked = await ask();
    expect(asked).toMatchObject({
      status: 202,
      body: { recordId: null, state: 'asked', askedBy: expect.stringMatching(/^api-key:/), report: null, error: null },
    });
    expect(await work()).toMatchObject([{ kind: 'done', outcome: 'whole' }]);
    expect(await jobOf(asked.body.id)).toEqual({
      ...asked.body,
      state: 'done',
      outcome: 'whole',
      endedAt: expect.any(String),
      report: {
        ...{ from: 0, to: 10, records: 10, erased: 0, dropped: 0, pending: 0, signedSize: 10, anchoredSize: 10 },
        ...{ counts: {}, breaks: [] },
      },
    });
  });

  it('twice for the same is one, also at once; another part of the log is another one; the newest is listed first', async () => {
    await openConnections(api.pool, 12);
    const [recordId, other] = ids as [string, string];
    const all = await Promise.all(Array.from({ length: 12 }, () => ask()));
    const one = await Promise.all(Array.from({ length: 12 }, () => ask({ recordId })));
    expect(new Set(all.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect(new Set(one.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    const third = await ask({ recordId: other });
    const listed = (await get()).body.items.map(({ id }: Verification) => id);
    expect(listed).toEqual([third.body.id, one[0]?.body.id, all[0]?.body.id]);
    await work();
    // What has ended is no answer to who asks anew.
    expect((await ask()).body).toMatchObject({ state: 'asked' });
    expect((await ask()).body.id).not.toBe(all[0]?.body.id);
  });

  it('is for who may write dead letters, reading for who reads; neither for a key of a tenant', async () => {
    const { id } = (await ask({}, await api.key(['admin']))).body;
    expect((await get(`/${id}`, await api.key(['audit:read:any-tenant']))).status).toBe(200);
    expectProblem(await ask({}, reader), 403, 'scope_missing');
    expectProblem(await ask({}, null), 401, 'unauthorized');
    const bound = await api.key(['admin'], 'acme');
    for (const answer of [await ask({}, bound), await get('', bound), await get(`/${id}`, bound)]) {
      expectProblem(answer, 403, 'tenant_forbidden');
    }
    const writer = await api.key(['dlq:write']);
    for (const path of ['', `/${id}`]) expectProblem(await get(path, writer), 403, 'scope_missing');
    expectProblem(await get(`/${randomUUID()}`), 404, 'not_found');
    expectProblem(await get('/none'), 404, 'not_found');
    for (const wrong of [{ recordId: 'x' }, { from: 1 }, [], null]) {
      expectProblem(await ask(wrong), 422, 'invalid_request');
    }
  });

  it('a hundred may be open; then it is later', async () => {
    await log.pool.query(
      `INSERT INTO audit.verification (id, record_id, asked_by) SELECT gen_random_uuid(), gen_random_uuid(), 'ada' FROM generate_series(1, 100)`,
    );
    const refused = await ask();
    expectProblem(refused, 429, 'rate_limited');
    expect(refused.headers.get('retry-after')).toBe('60');
    const { rows } = await log.pool.query('SELECT record_id FROM audit.verification LIMIT 1');
    expect((await ask({ recordId: rows[0].record_id })).status).toBe(202); // the same as one that is open
  });
});

describe('a worker', () => {
  it('finds what was changed, and names it', async () => {
    const order = await log.order();
    await withoutTriggers(log.pool, ['record'], () =>
      log.pool.query(`UPDATE audit.record SET outcome = 'failure' WHERE record_id = $1`, [order[6]]),
    );
    const { body } = await ask();
    expect(await work()).toMatchObject([{ kind: 'done', outcome: 'broken' }]);
    const job = await jobOf(body.id);
    expect(job).toMatchObject({ state: 'done', outcome: 'broken', report: { counts: { edited: 1 } } });
    expect(job.report?.breaks).toEqual([
      { kind: 'edited', index: 6, recordId: order[6], what: expect.stringContaining('outcome') },
    ]);
  });

  it('looks at the part of one record; one that is not sealed, or not there, it says so of', async () => {
    // In a part of four; the last one has two. Events of one post stand in the log in an order of their own.
    const [id = ''] = await log.order();
    const [young = ''] = await log.write(1);
    const asked = [];
    for (const recordId of [id, young, randomUUID()]) asked.push((await ask({ recordId })).body.id as string);
    expect(await work()).toMatchObject([{ kind: 'done' }, { kind: 'failed' }, { kind: 'failed' }]);
    const [one, pending, missing] = await Promise.all(asked.map(jobOf));
    expect(one).toMatchObject({ recordId: id, outcome: 'whole', report: { records: 4, to: expect.any(Number) } });
    expect(pending).toMatchObject({ state: 'failed', outcome: null, error: expect.stringContaining('not sealed yet') });
    expect(missing).toMatchObject({ state: 'failed', error: expect.stringContaining('no such record') });
  });

  it('does the one that was asked for first, one at a time, and says how far it is while it lasts', async () => {
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const first = (await ask()).body.id;
    const second = (await ask({ recordId: ids[0] })).body.id;
    const store = createVerifyStore(log.pool);
    const one = worker({
      store: {
        readUnsealed: async (behind) => {
          await held;
          return store.readUnsealed(behind);
        },
      },
    });
    const turn = one.turn(await takeDuty(), GOES_ON);
    await eventually('its progress', async () => (await jobOf(first)).progress?.done === 10);
    expect(await jobOf(first)).toMatchObject({ state: 'running', progress: { done: 10, of: 10 } });
    expect(await jobOf(second)).toMatchObject({ state: 'asked', progress: null });
    const { beat_at: before } = await rowOf(first);
    await eventually('another beat', async () => (await rowOf(first)).beat_at > before);
    letGo();
    await turn;
    expect(one.ended.map(({ id }) => id)).toEqual([first, second]);
    expect(await jobOf(first)).toMatchObject({ state: 'done', progress: null });
  });

  it('that is killed loses nothing: another one goes on, once it has said nothing for half a minute', async () => {
    const { id } = (await ask()).body;
    const script = fileURLToPath(new URL('../support/verification-process.mjs', import.meta.url));
    const child = spawn(process.execPath, [script, log.auditUrl], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const chunk of child.stdout) if (String(chunk).includes('there')) break;
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await work()).toEqual([]);
    expect(await jobOf(id)).toMatchObject({ state: 'running' });
    await loseWorker();
    expect(await work()).toMatchObject([{ kind: 'done', outcome: 'whole' }]);
    expect(await rowOf(id)).toMatchObject({ state: 'done', tries: 2 });
  });

  it('lost for the third time fails it with why', async () => {
    const { id } = (await ask()).body;
    const states = [];
    for (let n = 0; n < 3; n++) {
      const hold = await takeDuty();
      await queue.recover(hold);
      expect(await queue.take(hold)).toMatchObject({ id });
      await loseWorker();
      await queue.recover(await takeDuty());
      states.push((await jobOf(id)).state);
    }
    expect(states).toEqual(['asked', 'asked', 'failed']);
    expect(await jobOf(id)).toMatchObject({ outcome: null, error: expect.stringMatching(/^three workers /) });
    expect((await ask()).body.id).not.toBe(id);
  });

  it('that was taken for lost and wakes up writes nothing any more', async () => {
    const { id } = (await ask()).body;
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const store = createVerifyStore(log.pool);
    const readHead = async () => {
      await held;
      return store.readHead();
    };
    const slow = worker({ store: { readHead }, queue: { beat: async () => true } });
    const turn = slow.turn(await takeDuty(), GOES_ON);
    await eventually('it at work', async () => (await jobOf(id)).state === 'running');
    await loseWorker();
    expect(await work()).toMatchObject([{ kind: 'done' }]);
    const done = await rowOf(id);
    letGo();
    await turn;
    expect(slow.ended).toMatchObject([{ kind: 'taken over' }]);
    expect(await rowOf(id)).toEqual(done);
  });

  it('hears by its next beat that another one has it, and stops reading', async () => {
    const { id } = (await ask()).body;
    const hung = worker({ store: { readHead: () => new Promise(() => {}) } });
    const turn = hung.turn(await takeDuty(), GOES_ON);
    await eventually('it at work', async () => (await jobOf(id)).state === 'running');
    await log.pool.query('UPDATE audit.verification SET holder = gen_random_uuid()');
    await turn;
    expect(hung.ended).toMatchObject([{ kind: 'taken over' }]);
    expect(hung.closed()).toBe(1);
  });

  it('that stops gives it back at once, and as if it had not begun', async () => {
    const { id } = (await ask()).body;
    for (let n = 0; n < 4; n++) {
      const stopping = new AbortController();
      const hung = worker({ store: { readHead: () => new Promise(() => {}) } });
      const turn = hung.turn(await takeDuty(), stopping.signal);
      await eventually('it at work', async () => (await jobOf(id)).state === 'running');
      stopping.abort();
      await turn;
      expect(hung.ended).toMatchObject([{ kind: 'given up' }]);
      expect(await rowOf(id)).toMatchObject({ state: 'asked', tries: 0, holder: null, beat_at: null });
    }
  });

  it('whose database goes away meanwhile gives it back; three times, and it failed', async () => {
    const { id } = (await ask()).body;
    const away = () => Promise.reject(new StoreUnavailableError(new Error('cut off')));
    for (const state of ['asked', 'asked', 'failed']) {
      expect(await work({ store: { readHead: away } })).toMatchObject([{ kind: 'given up' }]);
      expect(await jobOf(id)).toMatchObject({ state });
    }
  });

  it('writes what it found as soon as the database is there again', async () => {
    const { id } = (await ask()).body;
    let tries = 0;
    const finish: VerificationQueue['finish'] = async (...given) => {
      tries++;
      if (tries === 1) throw new StoreUnavailableError(new Error('cut off'));
      if (tries > 2) return queue.finish(...given);
      await queue.finish(...given); // written, and the answer lost
      throw new StoreUnavailableError(new Error('cut off'));
    };
    expect(await work({ queue: { finish } })).toMatchObject([{ kind: 'done', outcome: 'whole' }]);
    expect([tries, (await jobOf(id)).outcome]).toEqual([3, 'whole']);
  });

  it('that cannot do it says why: an anchor that is away, anything else', async () => {
    const first = (await ask()).body.id;
    const gone = () => {
      throw new AnchorUnavailableError('file:/mnt/anchor', new Error('ENOTCONN'));
    };
    await work({ anchor: { readAll: gone, readBack: gone } });
    expect(await jobOf(first)).toMatchObject({
      state: 'failed',
      error: 'The anchor file:/mnt/anchor did not answer: ENOTCONN',
    });
    const second = (await ask()).body.id;
    await work({ store: { readHead: () => Promise.reject(new TypeError('planted')) } });
    expect(await jobOf(second)).toMatchObject({ state: 'failed', error: 'because planted' });
  });

  it('without the duty does nothing', async () => {
    const { id } = (await ask()).body;
    await takeDuty();
    const one = worker({ everyHours: 1 });
    await one.turn({ name: 'verify', holder: randomUUID() }, GOES_ON);
    expect([one.ended, (await jobOf(id)).state]).toEqual([[], 'asked']);
    expect((await get()).body.items).toHaveLength(1);
  });

  it('forgets all but the latest thousand, never what is known of the whole log, nor what is open', async () => {
    const fill = (count: number, columns: string, values: string) =>
      log.pool.query(
        `INSERT INTO audit.verification (id, asked_by, asked_at, ended_at, state${columns})
         SELECT gen_random_uuid(), 'ada', now() - interval '2 days', now() - interval '1 day', ${values} FROM generate_series(1, ${count})`,
      );
    await fill(2, ', outcome', `'done', 'whole'`);
    await log.pool.query(`UPDATE audit.verification SET asked_at = asked_at - interval '1 day'`);
    await fill(1_005, ', record_id, error', `'failed', gen_random_uuid(), 'e'`);
    const { id } = (await ask({ recordId: ids[0] })).body;
    await work();
    const { rows } = await log.pool.query(
      `SELECT count(*) FILTER (WHERE record_id IS NOT NULL)::int AS parts, count(*) FILTER (WHERE record_id IS NULL)::int AS wholes
       FROM audit.verification`,
    );
    expect(rows).toEqual([{ parts: 1_000, wholes: 2 }]);
    expect(await jobOf(id)).toMatchObject({ state: 'done' });
  });
});

describe('by itself', () => {
  const asked = async () =>
    (await log.pool.query('SELECT asked_by, record_id, state FROM audit.verification ORDER BY asked_at')).rows;
  const BY_ITSELF = { asked_by: 'outbox:schedule', record_id: null };
  const passes = (hours: number) =>
    log.pool.query(
      `UPDATE audit.verification SET asked_at = asked_at - $1::int * interval '1 hour', ended_at = ended_at - $1::int * interval '1 hour'`,
      [hours],
    );

  it('the whole log is verified every so many hours, whoever asked the last time; with 0 never', async () => {
    expect(await work({ everyHours: 0 })).toEqual([]);
    expect(await work({ everyHours: 24 })).toMatchObject([{ kind: 'done', askedBy: 'outbox:schedule' }]);
    expect(await asked()).toEqual([{ ...BY_ITSELF, state: 'done' }]);
    await passes(23);
    expect(await work({ everyHours: 24 })).toEqual([]);
    await ask({ recordId: ids[0] });
    await work({ everyHours: 24 });
    await passes(2);
    // Of one part of it says nothing of the rest.
    expect(await work({ everyHours: 24 })).toMatchObject([{ askedBy: 'outbox:schedule' }]);
    await ask();
    await work();
    await passes(23);
    expect(await work({ everyHours: 24 })).toEqual([]);
  });

  it('one that failed is made up for within the hour', async () => {
    const store = { readHead: () => Promise.reject(new TypeError('planted')) };
    expect(await work({ everyHours: 24, store })).toMatchObject([{ kind: 'failed' }]);
    expect(await work({ everyHours: 24 })).toEqual([]);
    await passes(1);
    expect(await work({ everyHours: 24 })).toMatchObject([{ kind: 'done' }]);
  });

  it('a worker with the keys does it from its start on, and says in its warnings that the log is broken', async () => {
    const lines: object[] = [];
    const line = (fields: object) => void lines.push(fields);
    const logger = { debug: line, info: line, warn: line, error: line } as unknown as RoleContext['log'];
    const start = (environment: Record<string, string>) =>
      startVerifications({ settings: loadSettings(environment, []), log: logger }, createSessionCheck(log.auditUrl));
    const signing = {
      AUDIT_SIGNING_KEYS: formatSignerKey(log.keys.signers[0] as SignerKey),
      AUDIT_ANCHOR_FILE: log.anchorPath,
    };
    const running = start({ AUDIT_DATABASE_URL: log.auditUrl, ...signing });
    try {
      await eventually('the first one', async () => (await asked())[0]?.state === 'done');
      expect(running?.warnings()).toEqual([]);
      const { rows } = await log.pool.query('SELECT record_id FROM audit.record ORDER BY tx_id, seq LIMIT 1');
      await withoutTriggers(log.pool, ['record'], () =>
        log.pool.query(`UPDATE audit.record SET outcome = 'failure' WHERE record_id = $1`, [rows[0].record_id]),
      );
      const { id } = (await ask()).body;
      await eventually('the second one', async () => (await jobOf(id)).outcome === 'broken');
      await eventually('its warning', async () => running?.warnings().length === 1);
      expect(running?.warnings()).toEqual([expect.stringMatching(/^the log is broken: 1 edited; .*\(verification /)]);
      expect(lines).toContainEqual(expect.objectContaining({ event: 'audit_log.verification', id, outcome: 'broken' }));
    } finally {
      await running?.stop();
    }
    const { rows } = await log.pool.query(`SELECT until <= now() AS over FROM audit.lease WHERE name = 'verify'`);
    expect(rows).toEqual([{ over: true }]);
    // Without keys there is nothing to verify by, and what is asked for waits for a worker that has some.
    expect(start({ AUDIT_DATABASE_URL: log.auditUrl })).toBeNull();
    expect(start(signing)).toBeNull();
  });

  it('other keys than the log’s say so of every checkpoint', async () => {
    const keys = newKeys();
    const running = startVerifications(
      {
        settings: loadSettings(
          {
            AUDIT_DATABASE_URL: log.auditUrl,
            AUDIT_SIGNING_KEYS: formatSignerKey(keys.signers[0] as SignerKey),
            AUDIT_VERIFY_HOURS: '1',
          },
          [],
        ),
        log: { debug() {}, info() {}, warn() {}, error() {} } as unknown as RoleContext['log'],
      },
      createSessionCheck(log.auditUrl),
    );
    try {
      const book = createVerificationBook(log.pool);
      const { done } = await eventually('it', async () => {
        const found = await book.readLatest();
        return found.done === null ? null : found;
      });
      expect(done).toMatchObject({ outcome: 'broken', report: { counts: { checkpoint: 1 }, anchoredSize: null } });
    } finally {
      await running?.stop();
    }
  });
});
