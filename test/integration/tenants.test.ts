/**
 * No answer tells one tenant of another's: every route of the app, asked by a key that is bound to acme and may do all that
 * a bound key may, about what is umbrella's and about what is nobody's. Real: HTTP and two real databases. Fake: nothing.
 * A route that is not in the table here fails the first test.
 */
import { randomUUID } from 'node:crypto';
import { type AuditAppDeps, buildAuditApp } from '../../src/http/create-audit-app.js';
import { DEFAULT_HTTP_LIMITS } from '../../src/http/http-limits.js';
import { openDeadLetterOps } from '../../src/main/dlq-asking.js';
import { createDeliveryStore, type DeliveryStore, silentLog } from '../support/delivery-line.js';
import { openTestOps } from '../support/ops.js';
import { type Answer, event, expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

/** `GET /live` …: of the router itself. */
function routes(): string[] {
  const deps = { routes: {}, ops: {}, ping: async () => {}, limits: DEFAULT_HTTP_LIMITS, logger: silentLog };
  return buildAuditApp(deps as unknown as AuditAppDeps).router.stack.flatMap(({ route }) =>
    (route?.stack ?? []).flatMap(({ method }) =>
      // Without a method: what answers 405.
      method === undefined ? [] : [`${method.toUpperCase()} ${route?.path}`],
    ),
  );
}

const TENANT = 'umbrella';
const WORD = { reason: 'because' };
const OPEN = ['GET /live', 'GET /ready', 'GET /openapi.json', 'GET /docs'];

/** What is asked of each route, of something with this id. */
type Asked = { readonly body?: unknown; readonly query?: string };
const ASKED: Record<string, (id: string) => readonly Asked[]> = {
  // Before what acme stores under the same ids, which is its own.
  'GET /integration/v1/audit/logs': () => [{}, { query: 'text=umbrella' }, { query: `tenantId=${TENANT}` }],
  'GET /integration/v1/audit/logs/export': () => [{}, { query: 'format=csv' }, { query: `tenantId=${TENANT}` }],
  'POST /integration/v1/audit/lookup': (id) => [
    { body: { identities: [{ source: SOURCE, eventId: id }] } },
    { body: { identities: [{ source: SOURCE, eventId: id, tenantId: TENANT }] } },
  ],
  'POST /integration/v1/audit/logs': (id) => [
    { body: event({ eventId: id, source: SOURCE }) },
    { body: event({ eventId: id, source: SOURCE, tenantId: TENANT }) },
    { body: [event({ eventId: id, source: SOURCE, tenantId: TENANT })] },
  ],
  'GET /integration/v1/audit/logs/:recordId': () => [{}],
  'GET /integration/v1/audit/logs/:id/proof': () => [{}],
  'GET /integration/v1/audit/log/checkpoint': () => [{}],
  'GET /integration/v1/audit/log/consistency': () => [{ query: 'from=1&to=1' }],
  'GET /integration/v1/audit/log/status': () => [{}],
  'POST /integration/v1/audit/log/proof-states': (id) => [{ body: { recordIds: [id] } }],
  'GET /integration/v1/audit/verifications': () => [{}],
  'POST /integration/v1/audit/verifications': (id) => [{ body: {} }, { body: { recordId: id } }],
  'GET /integration/v1/audit/verifications/:id': () => [{}],
  'GET /ops/v1/failed-ingest': (id) => [{}, { query: 'state=discarded' }, { query: `before=${id}` }],
  'GET /ops/v1/failed-ingest/:id': () => [{}],
  'POST /ops/v1/failed-ingest/retry': () => [{ body: { filter: { source: SOURCE }, dryRun: true, ...WORD } }],
  'POST /ops/v1/failed-ingest/discard': () => [{ body: { filter: { source: SOURCE }, ...WORD } }],
  'POST /ops/v1/failed-ingest/:id/retry': () => [{ body: WORD }],
  'POST /ops/v1/failed-ingest/:id/discard': () => [{ body: WORD }],
  'GET /ops/v1/blocked-aggregates': () => [{}, { query: `tenantId=${TENANT}` }],
  'GET /ops/v1/books': () => [{}],
  'POST /ops/v1/books/again': () => [{ body: { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' } }],
  'GET /ops/v1/events': () => [{}, { query: `tenantId=${TENANT}` }, { query: 'state=dead' }],
  'GET /ops/v1/events/:id': () => [{}],
  'GET /ops/v1/events/:id/payload': () => [{}],
  'GET /ops/v1/overview': () => [{}],
  'GET /ops/v1/figures': () => [{}],
  'GET /ops/v1/policies': () => [{}],
  'GET /ops/v1/policies/simulation': () => [{ query: 'code=HTTP.TLS' }],
  'GET /ops/v1/dead-letters/kinds': () => [{}, { query: `tenantId=${TENANT}` }],
  'GET /ops/v1/dead-letters': (id) => [{}, { query: `tenantId=${TENANT}` }, { query: `before=${id}` }],
  'POST /ops/v1/dead-letters/redrive': (id) => [{ body: { ids: [id], ...WORD } }],
  'POST /ops/v1/dead-letters/discard': (id) => [{ body: { ids: [id], ...WORD } }],
  'GET /ops/v1/dead-letters/:id': () => [{}],
  'POST /ops/v1/dead-letters/:id/redrive': () => [{ body: WORD }],
  'POST /ops/v1/dead-letters/:id/discard': () => [{ body: WORD }],
  'GET /ops/v1/dead-letters/:id/payload': () => [{}, { query: 'redacted=true' }],
  'POST /ops/v1/dead-letters/:id/payload': () => [{ body: { payload: {}, ...WORD } }],
  'GET /ops/v1/redrive-jobs': (id) => [{}, { query: `before=${id}` }],
  'POST /ops/v1/redrive-jobs': () => [
    { body: { filter: { tenantId: TENANT }, ...WORD } },
    { body: { filter: {}, dryRun: true, ...WORD } },
  ],
  'GET /ops/v1/redrive-jobs/:id': () => [{}],
  'POST /ops/v1/redrive-jobs/:id/cancel': () => [{ body: {} }],
  'GET /ops/v1/destinations': () => [{}],
  'POST /ops/v1/destinations/:name/pause': () => [{ body: WORD }, { body: { ...WORD, tenantId: TENANT } }],
  'POST /ops/v1/destinations/:name/resume': () => [{ body: WORD }, { body: { ...WORD, tenantId: TENANT } }],
};
const SOURCE = '/services/umbrella';

let store: DeliveryStore;
let database: TestIngest;
let ingest: TestIngest;
let deadLetters: ReturnType<typeof openDeadLetterOps>;
let bound: string;
/** Ids of umbrella's: of an event, a record, a letter, a job, a failed event. */
const foreign: Record<string, string> = {};

beforeAll(async () => {
  store = await createDeliveryStore();
  deadLetters = openDeadLetterOps(store.pool, [], silentLog);
  database = await startIngest();
  ingest = await startIngestOn(database.auditUrl, {
    ops: { ...openTestOps(store.pool), deadLetters },
  });
  bound = await ingest.key(['admin'], 'acme');
  const umbrella = await ingest.key(['admin'], TENANT);
  const operator = await ingest.key(['dlq:write']);

  const recorded = await ingest.post(event({ eventId: 'umbrella-event', source: SOURCE }), { key: umbrella });
  Object.assign(foreign, { eventId: 'umbrella-event', recordId: recorded.body.recordId });

  const eventId = await store.append({ tenantId: TENANT });
  const end = {
    code: 'HTTP.TIMEOUT' as const,
    message: 'umbrella was refused',
    attempt: null,
    workflowId: 'wf',
    runId: 'run',
  };
  const died = await store.deadLetters.recordDeadLetter({ run: { eventId, epoch: 0, carrier: null }, ...end }, 5_000);
  Object.assign(foreign, { delivered: eventId, letter: 'id' in died ? died.id : '' });
  const job = await ingest.post(
    { filter: {}, reason: 'umbrella asked' },
    { path: '/ops/v1/redrive-jobs', key: umbrella },
  );
  foreign.job = job.body.id;

  await ingest.pool.query(`
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
  const failed = await ingest.post(event({ eventId: 'umbrella-failed', source: SOURCE }), { key: umbrella });
  Object.assign(foreign, { failedEventId: 'umbrella-failed', failedIngest: failed.body.failedIngestId });
  await ingest.pool.query('DROP TRIGGER refuse ON audit.record');
  const pause = { tenantId: TENANT, reason: 'umbrella is paused' };
  expect((await ingest.post(pause, { path: '/ops/v1/destinations/umbrella.sync/pause', key: operator })).status).toBe(
    200,
  );
  for (const [name, id] of Object.entries(foreign)) expect([name, id]).toEqual([name, expect.stringMatching(/.{8}/)]);
});
afterAll(async () => {
  await ingest.stop();
  await database.stop();
  await deadLetters.close();
  await store.close();
});

async function ask(route: string, { body, query }: Asked, id: string, key: string | null): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ');
  const asked = path.replace(/:\w+/, id);
  return ingest.post(body ?? {}, { method, path: query === undefined ? asked : `${asked}?${query}`, key });
}

/** What an answer says, but for the id that was asked for and what is new each time. */
const saidBy = ({ status, body }: Answer, id: string): string =>
  JSON.stringify({ status, body }, (name, value) =>
    ['requestId', 'recordId', 'recordedAt', 'hash', 'at'].includes(name) ? null : value,
  ).replaceAll(id, '<id>');

it('every route is in the table, and every one in the table is a route', () => {
  expect(
    routes()
      .filter((route) => !OPEN.includes(route))
      .sort(),
  ).toEqual(Object.keys(ASKED).sort());
});

it('B1: every route but the probes and the reference is closed without a key', async () => {
  for (const [route, asked] of Object.entries(ASKED)) {
    for (const one of asked(randomUUID()))
      expectProblem(await ask(route, one, randomUUID(), null), 401, 'unauthorized');
  }
});

it("B2: what is another tenant's is answered as what is nobody's, and not a word of it is told", async () => {
  const secrets = [...Object.values(foreign), 'umbrella'];
  for (const [route, asked] of Object.entries(ASKED)) {
    for (const [kind, id] of Object.entries(foreign)) {
      const nobodys = id.startsWith('umbrella') ? `nobodys${randomUUID().slice(0, 8)}` : randomUUID();
      for (const [index, one] of asked(id).entries()) {
        const other = asked(nobodys)[index] as Asked;
        const answer = await ask(route, one, id, bound);
        const what = `${route} ${kind} ${index}`;
        expect([what, saidBy(answer, id)]).toEqual([what, saidBy(await ask(route, other, nobodys, bound), nobodys)]);
        const told = JSON.stringify(answer.body).replaceAll(id, '');
        expect([what, secrets.filter((secret) => told.includes(secret))]).toEqual([what, []]);
      }
    }
  }
}, 120_000);

it('and all of it is as it was', async () => {
  const { rows } = await store.pool.query('SELECT state FROM outbox.dead_letter');
  expect(rows).toEqual([{ state: 'open' }]);
  const failed = await ingest.pool.query('SELECT state, actor FROM audit.failed_ingest');
  expect(failed.rows).toEqual([{ state: 'open', actor: null }]);
  const jobs = await store.pool.query('SELECT state FROM outbox.redrive_job');
  expect(jobs.rows).toEqual([{ state: 'running' }]);
});
