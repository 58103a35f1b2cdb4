/**
 * What relays and workers tell of themselves. Real: PostgreSQL, and in the last test a relay and a worker in one process of the
 * built command line. Fake: what a process says of the parts that it needs, and in one test the store.
 */
import { randomUUID } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import type { ProcessSays, ProcessSelf, ProcessStore } from '../../src/application/delivery/monitor/ports.js';
import { tellProcess } from '../../src/application/delivery/monitor/tell-process.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { PROCESS_SILENT_MS } from '../../src/contract/overview-api.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../../src/infrastructure/prisma/process-store.js';
import { createDatabaseRoles } from '../support/database-roles.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, outboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop } from '../support/roles.js';

let databases: TestDatabases;
let pool: PgPool;
let processes: ProcessStore;
const told: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl);
  processes = createProcessStore(pool);
});
beforeEach(() => pool.query('TRUNCATE outbox.process'));
afterEach(async () => {
  await Promise.all(told.splice(0).map((one) => one.stop()));
});
afterAll(async () => {
  await endLeftoverCli();
  await pool.end();
  await databases.drop();
});

const AT = '2026-11-29T10:00:00.000Z';
const SAYS: ProcessSays = {
  temporal: { ok: true, reason: null, at: AT },
  auditApi: { ok: false, reason: 'it answers 503 to /ready', at: AT },
  namespace: 'default',
  temporalAddress: 'temporal.example',
  policies: { byType: { ORDER: 'aaaa' }, otherwise: 'bbbb' },
  orderings: { ORDER: 'block' },
  coalescing: [{ destination: 'audit.log', eventType: '*', on: true }],
};
const self = (more: Partial<ProcessSelf> = {}): ProcessSelf => ({
  id: randomUUID(),
  roles: ['relay', 'worker'],
  host: 'host-1',
  pid: 42,
  version: '1.2.3',
  ...more,
});
/** Tells every few milliseconds. */
const quick = {
  ...systemTime,
  sleep: (ms: number, signal?: AbortSignal) => systemTime.sleep(Math.min(ms, 5), signal),
};
function tell(
  who: ProcessSelf,
  store: Pick<ProcessStore, 'write' | 'remove' | 'forgetOld'> = processes,
  log = silentLog,
) {
  let says = SAYS;
  const telling = tellProcess({ processes: store, say: async () => says, time: quick, log }, who);
  told.push(telling);
  return {
    telling,
    say(more: Partial<ProcessSays>) {
      says = { ...SAYS, ...more };
    },
  };
}
const only = () => eventually('its row', async () => (await processes.list(10))[0]);

it('has one row for each process, with all of its roles and what it says', async () => {
  const who = self();
  tell(who);
  const first = await only();
  expect(first).toEqual({
    ...who,
    startedAt: expect.any(String),
    seenAt: expect.any(String),
    silent: false,
    skewMs: expect.any(Number),
    says: SAYS,
  });
  expect(Math.abs(first.skewMs)).toBeLessThan(10_000);
});

it('is seen again and again, and says what it says now', async () => {
  const { say } = tell(self());
  const first = await only();
  const away = { ok: false, reason: 'it does not answer at temporal.example', at: AT };
  say({ temporal: away });
  const later = await eventually('the other word', async () => {
    const [row] = await processes.list(10);
    return row?.says.temporal?.ok === false && row.seenAt > first.seenAt ? row : null;
  });
  expect(later).toMatchObject({ id: first.id, startedAt: first.startedAt, says: { ...SAYS, temporal: away } });
  expect(await processes.list(10)).toHaveLength(1);
});

it('takes its row away when it stops, and not that of another', async () => {
  const { telling } = tell(self());
  tell(self({ pid: 43, roles: ['worker'] }));
  await eventually('both', async () => (await processes.list(10)).length === 2);
  await telling.stop();
  expect((await processes.list(10)).map(({ pid }) => pid)).toEqual([43]);
});

it('one that starts forgets those that were not seen for a day, and no other', async () => {
  for (const pid of [1, 2, 3]) await processes.write(self({ pid }), SAYS);
  await pool.query(`UPDATE outbox.process SET seen_at = clock_timestamp() - pid * interval '9 hours'`);
  tell(self({ pid: 9 }));
  await eventually('the row of the one that starts', async () =>
    (await processes.list(10)).some(({ pid }) => pid === 9),
  );
  expect((await processes.list(10)).map(({ pid }) => pid)).toEqual([9, 1, 2]);
});

it('a relay is in the list beside more workers than are listed, and beside the rows of one that starts again and again', async () => {
  await processes.write(self({ pid: 1, roles: ['relay'] }), SAYS);
  for (let pid = 10; pid < 16; pid++) await processes.write(self({ pid, roles: ['worker'] }), SAYS);
  expect((await processes.list(4)).map(({ pid }) => pid)).toEqual([15, 14, 13, 12, 1]);
});

it('that is killed leaves its row, which is silent after fifteen seconds; the latest seen come first', async () => {
  await processes.write(self({ pid: 1 }), SAYS);
  await processes.write(self({ pid: 2 }), SAYS);
  const ageOf = (ms: number, pid: number) =>
    pool.query(`UPDATE outbox.process SET seen_at = clock_timestamp() - $1 * interval '1 millisecond' WHERE pid = $2`, [
      ms,
      pid,
    ]);
  await ageOf(PROCESS_SILENT_MS - 5_000, 1);
  await ageOf(PROCESS_SILENT_MS + 5_000, 2);
  expect((await processes.list(10)).map(({ pid, silent }) => [pid, silent])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect((await processes.list(1)).map(({ pid }) => pid)).toEqual([1]);
});

it('tells how far its clock is behind the database’s', async () => {
  const real = Date.now;
  Date.now = () => real() - 90_000;
  try {
    await processes.write(self(), SAYS);
  } finally {
    Date.now = real;
  }
  const [row] = await processes.list(1);
  expect(row?.skewMs).toBeGreaterThanOrEqual(89_000);
  expect(row?.skewMs).toBeLessThan(120_000);
});

it('of another version may say what this one does not know: that is as if it was not said', async () => {
  for (const says of [
    '{}',
    '[]',
    '"text"',
    '{"temporal":{"ok":"yes"},"namespace":7,"coalescing":{"a":1},"more":true}',
  ]) {
    await pool.query(
      `INSERT INTO outbox.process (id, roles, host, pid, version, skew_ms, says)
       VALUES (gen_random_uuid(), '{relay,oracle}', 'h', 1, '9', 0, $1::jsonb)`,
      [says],
    );
  }
  const nothing = { temporal: null, auditApi: null, namespace: null, temporalAddress: null, policies: null };
  const rows = await processes.list(10);
  expect(rows).toHaveLength(4);
  for (const { roles, says } of rows) {
    expect([roles, says]).toEqual([['relay'], { ...nothing, orderings: {}, coalescing: [] }]);
  }
});

it('says a text that the database cannot hold as far as it can', async () => {
  await processes.write(self(), { ...SAYS, namespace: 'nul \u0000 half \ud800' });
  expect((await processes.list(1))[0]?.says.namespace).toBe('nul \uFFFD half \uFFFD');
});

it('that cannot tell goes on trying, says so once and once when it can again, and is not ended by it', async () => {
  let away = true;
  let tries = 0;
  const lines: string[] = [];
  const note = (_: object, message: string) => void lines.push(message);
  const store = {
    ...processes,
    write: async (...given: Parameters<ProcessStore['write']>) => {
      tries++;
      if (away) throw new Error('away');
      return processes.write(...given);
    },
  };
  const { telling } = tell(self(), store, { ...silentLog, warn: note, info: note });
  await eventually('several tries', async () => tries > 5);
  expect(lines).toEqual(['process.not_told']);
  away = false;
  await only();
  expect(lines).toEqual(['process.not_told', 'process.told_again']);
  away = true;
  const before = tries;
  await eventually('more tries', async () => tries > before + 2);
  expect(lines).toEqual(['process.not_told', 'process.told_again', 'process.not_told']);
  await telling.stop();
});

it('tells at once what is otherwise now, when it is told to', async () => {
  const written: boolean[] = [];
  const store = {
    ...processes,
    write: async (_: ProcessSelf, { temporal }: ProcessSays) => void written.push(temporal?.ok === true),
  };
  let ok = false;
  const say = async () => ({ ...SAYS, temporal: { ok, reason: null, at: AT } });
  const telling = tellProcess({ processes: store, say, time: systemTime, log: silentLog }, self());
  told.push(telling);
  await eventually('the first word', async () => written.length === 1);
  ok = true;
  telling.now();
  await eventually('the second, which would come five seconds later', async () => written.length === 2, 4_000);
  expect(written).toEqual([false, true]);
});

it('that lacks the right since an upgrade says so, and goes on', async () => {
  const roles = await createDatabaseRoles();
  const own = createPool(roles.urlAs('worker', databases.outboxUrl), { max: 2 });
  const errors: unknown[] = [];
  try {
    const warn = (fields: object) => void errors.push((fields as { err: { code?: string } }).err.code);
    const { telling } = tell(self(), createProcessStore(own), { ...silentLog, warn });
    await eventually('the refusal', async () => errors.length > 0);
    expect(errors).toEqual(['42501']);
    await telling.stop();
  } finally {
    await own.end();
    await roles.drop([databases.outboxUrl]);
  }
});

it('one that is started while Temporal is away is there, and says so; it takes its row along where it gives up', async () => {
  const deployment = await createTestDeployment();
  const nobody = createServer();
  await new Promise<void>((resolve) => void nobody.listen(0, '127.0.0.1', resolve));
  const { port } = nobody.address() as AddressInfo;
  await new Promise((resolve) => nobody.close(resolve));
  try {
    const seen = createProcessStore(deployment.outbox);
    const waiting = outboxCli(['relay'], { ...deployment.environment, TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    const row = await eventually('its word on Temporal', async () => {
      const [told] = await seen.list(10);
      return told?.says.temporal?.ok === false && told;
    });
    expect(row).toMatchObject({
      roles: ['relay'],
      silent: false,
      says: { temporal: { reason: 'it does not answer at 127.0.0.1' }, namespace: 'default' },
    });
    expect(await stop(waiting)).toBe(0);
    expect(await seen.list(10)).toEqual([]);
  } finally {
    await endLeftoverCli();
    await deployment.drop();
  }
});

it('a relay and a worker in one process tell of it together; stopped it takes its row along, killed it leaves it', async () => {
  const deployment = await createTestDeployment();
  try {
    const seen = createProcessStore(deployment.outbox);
    const first = await deployment.start('relay,worker', { OUTBOX_AUDIT_URL: 'http://127.0.0.1:1' });
    // It was told before Temporal had answered, and again at once when it had; on a busy machine a look may take too long.
    const row = await eventually('its row', async () => {
      const [told] = await seen.list(10);
      const says = told?.says;
      return says?.temporal?.ok === true && says.auditApi?.reason?.includes('HTTP.NETWORK') && told;
    });
    expect(row).toMatchObject({
      roles: ['relay', 'worker'],
      silent: false,
      says: {
        temporal: { ok: true },
        auditApi: { ok: false, reason: 'it does not answer (HTTP.NETWORK)' },
        namespace: 'default',
        policies: { byType: {}, otherwise: expect.stringMatching(/^[0-9a-f]{16}$/) },
        coalescing: [],
      },
    });
    expect(row.says.temporalAddress).not.toMatch(/:\d/);
    await stop(first);
    expect(await seen.list(10)).toEqual([]);
    const second = await deployment.start('worker');
    await eventually('its row', async () => (await seen.list(10)).length === 1);
    await stop(second, 'SIGKILL');
    expect(await seen.list(10)).toMatchObject([{ roles: ['worker'] }]);
  } finally {
    await endLeftoverCli();
    await deployment.drop();
  }
});
