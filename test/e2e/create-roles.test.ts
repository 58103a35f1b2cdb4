// Real: a program of its own that runs relay and worker by the built package, PostgreSQL, Temporal. Fake: the handlers'
// destinations, which answer without being asked. No api runs: nothing here goes to the audit log.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress } from '../support/temporal.js';

const PROGRAM = fileURLToPath(new URL('../support/roles-program.mjs', import.meta.url));
let deployment: TestDeployment;
let program: Awaited<ReturnType<typeof startProgram>>;

beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterEach(() => program.end());
afterAll(() => deployment.drop());

async function startProgram(roles: string, environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [PROGRAM, roles], {
    env: { ...process.env, ...deployment.environment, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  const ended = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? '')),
  );
  const line = (msg: string) => eventually(msg, async () => lines.find((each) => each.msg === msg));
  const ports = await line('program.ports');
  return {
    ports,
    ended,
    say: (command: 'hint' | 'stop') => void child.stdin.write(`${command}\n`),
    counters: async () => (await line('process.counters')).counters as Record<string, number>,
    end: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

it('relay and worker in one program start runs eagerly, share one probe port, and stop once however often told', async () => {
  program = await startProgram('relay,worker');
  expect(program.ports).toMatchObject({ apiPort: null, probePort: expect.any(Number) });
  const ready = await fetch(`http://127.0.0.1:${program.ports.probePort}/ready`);
  expect(ready.status).toBe(200);
  const append = () => deployment.append({ routingKey: 'test.quick' });
  const ids = await Promise.all(Array.from({ length: 30 }, append));
  for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
  program.say('stop');
  expect(await program.ended).toBe(0);
  const { started, eager } = await program.counters();
  expect(started).toBe(30);
  expect(eager).toBeGreaterThan(0);
}, 60_000);

it('hint wakes an idle relay', async () => {
  // After any claim it would rest for a minute, longer than this test may take.
  const idle = { OUTBOX_POLL_FLOOR_MS: '60000', OUTBOX_POLL_IDLE_MS: '60000' };
  const first = await deployment.append({ routingKey: 'test.quick' });
  program = await startProgram('relay,worker', idle);
  await deployment.untilStatus(first, 'DELIVERED');
  for (let n = 0; n < 3; n++) {
    const id = await deployment.append({ routingKey: 'test.quick' });
    expect(await deployment.status(id)).toBe('PENDING');
    program.say('hint');
    await deployment.untilStatus(id, 'DELIVERED');
  }
}, 45_000);

it("R13: the relay passes a handler's own time on: a long one starts with a regular attempt that heartbeats", async () => {
  program = await startProgram('relay,worker');
  const connection = await Connection.connect({ address: temporalAddress() });
  const client = new Client({ connection });
  const scheduled: [number, number][] = [];
  for (const routingKey of ['test.long', 'test.quick']) {
    const id = await deployment.append({ routingKey });
    await deployment.untilStatus(id, 'DELIVERED');
    const { events } = await client.workflow.getHandle(`${deployment.name}:${id}:0`).fetchHistory();
    for (const { activityTaskScheduledEventAttributes: activity } of events ?? []) {
      if (activity)
        scheduled.push([Number(activity.startToCloseTimeout?.seconds), Number(activity.heartbeatTimeout?.seconds)]);
    }
  }
  await connection.close();
  // A quick one may have been regular, too, where its local attempt came too late.
  expect(scheduled.filter(([startToClose]) => startToClose !== 20)).toEqual([[65, 30]]);
}, 60_000);

it("a worker without the handler that the relay's configuration has: a retry in a minute, and no dead letter", async () => {
  program = await startProgram('relay');
  const worker = await deployment.start('worker');
  const id = await deployment.append({ routingKey: 'test.long' });
  const attempt = await eventually('the attempt', async () => {
    const text = `SELECT code, d.status, d.due_at - a.finished_at > interval '50 s' AS later FROM outbox.delivery_attempt a
      JOIN outbox.delivery d USING (event_id) WHERE event_id = $1 AND finished_at IS NOT NULL`;
    return (await deployment.outbox.query(text, [id])).rows[0];
  });
  expect(attempt).toEqual({ code: 'DISPATCH.HANDLER_NOT_FOUND', status: 'STARTED', later: true });
  expect(await stop(worker)).toBe(0);
}, 60_000);
