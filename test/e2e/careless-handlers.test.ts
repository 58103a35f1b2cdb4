// Real: a relay and a worker as processes, Temporal, PostgreSQL. The handlers are careless: they leave things open, let
// promises go, throw where nobody listens.
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';

let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(() => deployment.drop());

const RECEIPT = `({ id: 'r-1', status: 200 })`;
const handlerThat = (does: string) =>
  `defineHandler({ routingKey: 'test.careless', async deliver() { ${does} return ${RECEIPT}; } })`;
const start = async (does: string, more = '') => {
  const config = await deployment.configFile(handlerThat(does), more);
  return deployment.start('relay,worker', {}, ['--config', config]);
};
const append = () => deployment.append({ routingKey: 'test.careless' });

it('a SIGTERM ends a worker whose handler holds a timer, a pool or a client', async () => {
  const worker = await start('globalThis.held ??= setInterval(() => {}, 60_000);');
  const id = await append();
  await deployment.untilStatus(id, 'DELIVERED');
  expect(await stop(worker)).toBe(0);
  const messages = worker.lines().map(({ msg }) => msg);
  expect(messages.slice(-2)).toEqual(['process.stopped', 'process.ended_with_open_resources']);
});

it('one without such a handler ends by itself', async () => {
  const worker = await start('');
  expect(await stop(worker)).toBe(0);
  expect(worker.lines().at(-1)?.msg).toBe('process.stopped');
});

it('I9: a promise that a handler let go ends nothing: one line, redacted; other events go on', async () => {
  const worker = await start(`void Promise.reject(new Error('password=hunter2hunter2'));`);
  for (const id of [await append(), await append()]) await deployment.untilStatus(id, 'DELIVERED');
  expect(await stop(worker)).toBe(0);
  const lines = worker.lines().filter(({ msg }) => msg === 'process.unhandled_rejection');
  expect(lines.length).toBeGreaterThanOrEqual(2);
  expect(worker.printed()).not.toContain('hunter2');
});

it('what a handler throws where nobody listens stops the roles in order, with a redacted line and exit code 1', async () => {
  const worker = await start(`setImmediate(() => { throw new Error('password=hunter2hunter2'); });`);
  await append();
  expect(await worker.ended).toBe(1);
  const messages = worker.lines().map(({ msg }) => msg);
  expect(messages).toContain('process.uncaught_exception');
  expect(messages).toContain('process.stopped');
  expect(worker.printed()).not.toContain('hunter2');
});
