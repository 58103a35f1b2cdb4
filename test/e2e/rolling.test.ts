// Real: two relays, two workers and two apis as processes of the command line, PostgreSQL, Temporal, HTTP between them, a
// producer and HTTP callers that never pause. Each process is restarted by SIGTERM in turn, then each is killed once.
import { setTimeout } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Agent, request } from 'undici';
import { AUDIT_LOOKUP_PATH } from '../../src/contract/audit-api.js';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress } from '../support/temporal.js';
import { failedWorkflowTasks } from '../support/workflow-tasks.js';

const NAMES = ['relay-1', 'relay-2', 'worker-1', 'worker-2', 'api-1', 'api-2'] as const;
type Name = (typeof NAMES)[number];

let deployment: TestDeployment;
let connection: Connection;
let ports: Record<string, number>;
const running = new Map<Name, StartedProcess>();
/** Of all that ran, for what they printed. */
const started: StartedProcess[] = [];

beforeAll(async () => {
  deployment = await createTestDeployment();
  connection = await Connection.connect({ address: temporalAddress() });
  ports = { 'api-1': await freePort(0), 'api-2': await freePort(0) };
  await Promise.all(NAMES.map(start));
}, 90_000);

afterAll(async () => {
  await endLeftoverCli();
  await connection.close();
  await deployment.drop();
});

/** A worker sends to the api of its own number: nothing stands between them that could hide a restart. */
async function start(name: Name): Promise<void> {
  const [role = '', number] = name.split('-');
  const process = await deployment.start(role, {
    OUTBOX_AUDIT_URL: `http://127.0.0.1:${ports[`api-${number}`]}`,
    OUTBOX_BREAKER_OPEN_MS: '1000',
    OUTBOX_LEASE_MS: '5000',
    ...(role === 'api' ? { OUTBOX_API_PORT: String(ports[name]) } : {}),
  });
  running.set(name, process);
  started.push(process);
}

const count = async (text: string): Promise<number> =>
  (await deployment.outbox.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${text}`)).rows[0]?.n ?? 0;
const delivered = () => count("outbox.delivery WHERE status = 'DELIVERED'");

/** Appends as fast as the line takes it; what fails is kept. */
function startProducer() {
  const ids: string[] = [];
  const failed: unknown[] = [];
  let appending = true;
  const loop = (async () => {
    while (appending) {
      if ((await count("outbox.delivery WHERE status IN ('PENDING', 'STARTED')")) > 60) continue;
      await deployment.append({ payload: { n: ids.length } }).then(
        (id) => ids.push(id),
        (error) => failed.push(error),
      );
    }
  })();
  return {
    ids,
    failed,
    async stop() {
      appending = false;
      await loop;
    },
  };
}

/** What one statement of the api may take: an answer that says so later is of a machine that stood still, as a restart's never is. */
const STATEMENT_MS = 2_000;
/** Of all callers, in two stalls. */
const MOST_LATE = 8;
/** Below what an api that stops lets an idle connection live for. */
const STALL_MS = 400;

/**
 * Callers on kept-alive connections, as behind a balancer: who does not accept is passed over, since nothing was sent.
 * Everything else that is no 200 is a failed request. Not told: what a machine that stood still makes of a statement, and of a
 * connection that was closed while the caller slept over it.
 */
function startCallers() {
  const failed: unknown[] = [];
  let answered = 0;
  let late = 0;
  let calling = true;
  const body = JSON.stringify({
    identities: [{ eventId: '0198c0de-0000-7000-8000-000000000001', source: 'outbox:nobody' }],
  });
  const headers = { authorization: `Bearer ${deployment.auditApiKey}`, 'content-type': 'application/json' };
  const loops = Array.from({ length: 4 }, async (_, caller) => {
    const agent = new Agent({ connections: 2 });
    let stalled = false;
    for (let turn = caller; calling; turn += 1) {
      const url = `http://127.0.0.1:${ports[`api-${(turn % 2) + 1}`]}${AUDIT_LOOKUP_PATH}`;
      const sentAt = performance.now();
      try {
        const answer = await request(url, { method: 'POST', headers, body, dispatcher: agent });
        const text = await answer.body.text();
        const tooSlow = text.includes('store_unavailable') && performance.now() - sentAt >= STATEMENT_MS;
        if (answer.statusCode === 200) answered += 1;
        else if (!tooSlow || ++late > MOST_LATE) failed.push({ status: answer.statusCode, text });
      } catch (error) {
        const { code } = error as { code?: string };
        const slept = stalled && (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET');
        if (code !== 'ECONNREFUSED' && !slept) failed.push(error);
      }
      const pausedAt = performance.now();
      await setTimeout(10); // callers, no flood: the machine is the line's, too
      stalled = performance.now() - pausedAt > STALL_MS;
    }
    await agent.close();
  });
  return {
    failed,
    answered: () => answered,
    async stop() {
      calling = false;
      await Promise.all(loops);
    },
  };
}

let producer: ReturnType<typeof startProducer>;
let callers: ReturnType<typeof startCallers> | undefined;
afterEach(() => Promise.all([producer.stop(), callers?.stop()]));

async function progress(): Promise<void> {
  const before = await delivered();
  await eventually('more deliveries', async () => (await delivered()) > before + 15, 40_000);
}

/** Every committed event is delivered, has exactly one record and no letter; no run met a worker that did not fit it. */
async function expectNothingLost(): Promise<void> {
  for (const id of producer.ids) await deployment.untilStatus(id, 'DELIVERED');
  const { rows: records } = await deployment.audit.query('SELECT event_id AS id FROM audit.record ORDER BY 1');
  expect(records.map(({ id }) => id)).toEqual([...producer.ids].sort());
  expect(await count('outbox.dead_letter')).toBe(0);
  expect(producer.failed).toEqual([]);
  for (const process of started) expect(process.printed()).not.toMatch(/TMPRL1100|Nondeterminism/i);
  const { rows } = await deployment.outbox.query<{ id: string }>(
    'SELECT DISTINCT event_id AS id FROM outbox.delivery_attempt LIMIT 50',
  );
  const runs = rows.map(({ id }) => `${deployment.name}:${id}:0`);
  expect(await failedWorkflowTasks(new Client({ connection }), runs)).toEqual([]);
}

it('each restarted by SIGTERM in turn: no append and no request fails, every event has one record', async () => {
  producer = startProducer();
  callers = startCallers();
  for (const name of NAMES) {
    await progress();
    expect(await stop(running.get(name) as StartedProcess)).toBe(0);
    await start(name);
  }
  await progress();
  const { ids } = producer;
  await Promise.all([producer.stop(), callers.stop()]);
  expect(callers.failed.slice(0, 5)).toEqual([]);
  expect(callers.answered()).toBeGreaterThan(ids.length / 10);
  await expectNothingLost();
}, 180_000);

it('each killed once: the other of its kind goes on alone, and nothing is lost', async () => {
  const { ids: earlier } = producer;
  producer = startProducer();
  producer.ids.unshift(...earlier);
  for (const name of NAMES) {
    await progress();
    expect(await stop(running.get(name) as StartedProcess, 'SIGKILL')).toBe('SIGKILL');
    await progress();
    await start(name);
  }
  await producer.stop();
  await expectNothingLost();
}, 180_000);
