// What docs/backup.md says of a restore to an earlier time, done. Real: two PostgreSQL clusters of this file's own, stopped,
// copied by their files and put back; Temporal, the roles as a process of the built command line, the anchor's file. Fake:
// the partner, a scripted HTTP server that collapses nothing. An hour is made to be over by SQL.
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { anyPort } from '../../src/main/chaos/toxiproxy.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

const run = promisify(execFile);
const HOUR = `${new Date(Date.now() - 5 * 3_600_000).toISOString().slice(0, 13)}:00:00Z`;
const NEXT_HOUR = `${new Date(Date.now() - 4 * 3_600_000).toISOString().slice(0, 13)}:00:00Z`;

type Side = 'outbox' | 'audit';
const SIDES: readonly Side[] = ['outbox', 'audit'];

let folder: string;
let clusters: Record<Side, EmbeddedPostgres>;
let deployment: TestDeployment;
let partner: ScriptedDestination;
let roles: StartedProcess;
let environment: Record<string, string>;
let config: string;

const dataDir = (side: Side) => join(folder, side);
const startCluster = (side: Side, port: number) =>
  startEmbeddedPostgres({ dataDir: dataDir(side), port, fsync: false });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-restore-'));
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  // Ports that are taken again after each stop: no outgoing connection may get one of them meanwhile.
  const [outbox, audit] = await Promise.all(SIDES.map((side) => startCluster(side, anyPort())));
  clusters = { outbox, audit } as typeof clusters;
  for (const side of SIDES) await clusters[side].createDatabase(side);
  deployment = await createTestDeployment({
    outboxUrl: clusters.outbox.url('outbox'),
    auditUrl: clusters.audit.url('audit'),
    drop: async () => {},
  });
  partner = await startScriptedDestination();
  config = await deployment.configFile(`httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`);
  const port = await freePort(anyPort());
  const keys = await runOutboxCli(['audit', 'keygen', '--origin', 'log.test/restore', '--json']);
  environment = {
    ...deployment.environment,
    OUTBOX_API_PORT: String(port),
    OUTBOX_AUDIT_URL: `http://127.0.0.1:${port}`,
    AUDIT_SIGNING_KEYS: (JSON.parse(keys.stdout) as { signer: string }).signer,
    AUDIT_ANCHOR_FILE: join(folder, 'anchor.ndjson'),
    AUDIT_CHECKPOINT_MS: '100',
  };
  await startRoles();
}, 120_000);

afterAll(async () => {
  await endLeftoverCli();
  await partner.close();
  await deployment.drop();
  await Promise.all(SIDES.map((side) => clusters[side].stop()));
  await rm(folder, { recursive: true, force: true });
});

async function startRoles(): Promise<void> {
  roles = await deployment.start('api,relay,worker', environment, ['--config', config]);
}
const outbox = (...args: string[]) => runOutboxCli(args, environment);

/** A cold copy: the cluster is stopped, so that its files are one moment. */
async function backUp(side: Side): Promise<void> {
  await clusters[side].stop();
  await run('cp', ['-a', dataDir(side), `${dataDir(side)}.copy`]);
  clusters[side] = await startCluster(side, clusters[side].port);
}
async function restore(side: Side): Promise<void> {
  await clusters[side].stop();
  await rm(dataDir(side), { recursive: true });
  await run('cp', ['-a', `${dataDir(side)}.copy`, dataDir(side)]);
  clusters[side] = await startCluster(side, clusters[side].port);
}

async function deliveryOf(id: string) {
  const { rows } = await deployment.outbox.query(
    `SELECT status, epoch, (receipt ->> 'replayed')::boolean AS replayed FROM outbox.delivery WHERE event_id = $1`,
    [id],
  );
  return (rows[0] ?? null) as { status: string; epoch: number; replayed: boolean | null } | null;
}
const sentTo = (id: string) => partner.seen.filter(({ key }) => key === id).length;
const resume = () => deployment.outbox.query("DELETE FROM outbox.pause WHERE event_type = 'HELD'");

/** Has the hour looked at, again and again, until its books say so. */
async function bookSays(words: string): Promise<string> {
  const look = async () => {
    const askedAt = Date.now();
    await outbox('books', '--again', '--since', HOUR, '--until', NEXT_HOUR);
    await eventually(`a look at ${HOUR}`, async () => {
      const { stdout } = await outbox('books', '--hour', HOUR, '--json');
      return stdout !== '' && Date.parse(JSON.parse(stdout).checkedAt ?? '') >= askedAt;
    });
    const { stdout } = await outbox('books', '--hour', HOUR);
    return stdout.includes(words) && stdout;
  };
  return eventually(`the books of ${HOUR} to say "${words}"`, look, 90_000);
}

const ids = { delivered: '', held: '', slow: '', dead: '', after: '' };

it('the outbox restored: what was open then is delivered again, and the audit log and the keys collapse it', async () => {
  await deployment.outbox.query(
    `INSERT INTO outbox.pause (id, event_type, reason, actor) VALUES (gen_random_uuid(), 'HELD', 'test', 'test')`,
  );
  partner.answer(({ body }, response) => {
    // So late that everything is stopped and copied before its second attempt.
    if (body.includes('"slow"')) response.writeHead(503, { 'retry-after': '30' }).end();
    else response.writeHead(422).end('{}');
  });
  ids.delivered = await deployment.append({});
  ids.held = await deployment.append({ eventType: 'HELD' });
  ids.slow = await deployment.append({ routingKey: 'test.partner', payload: { is: 'slow' } });
  ids.dead = await deployment.append({ routingKey: 'test.partner', payload: { is: 'dead' } });
  await deployment.untilStatus(ids.delivered, 'DELIVERED');
  await deployment.untilStatus(ids.dead, 'DEAD');
  await eventually('a run that waits for its second attempt', async () => {
    return sentTo(ids.slow) === 1 && (await deployment.status(ids.slow)) === 'STARTED';
  });
  await deployment.outbox.query('ALTER TABLE outbox.event DISABLE TRIGGER event_insert_only');
  await deployment.outbox.query('UPDATE outbox.event SET recorded_at = $1::timestamptz', [HOUR]);
  await deployment.outbox.query('ALTER TABLE outbox.event ENABLE TRIGGER event_insert_only');
  expect(await stop(roles)).toBe(0);
  await Promise.all(SIDES.map(backUp));

  // It goes on.
  partner.answer(accept);
  await startRoles();
  await resume();
  expect(await outbox('dlq', 'redrive', ids.dead, '--reason', 'mended')).toMatchObject({ code: 0 });
  ids.after = await deployment.append({});
  for (const id of [ids.held, ids.slow, ids.dead, ids.after]) await deployment.untilStatus(id, 'DELIVERED');
  expect([sentTo(ids.slow), sentTo(ids.dead)]).toEqual([2, 2]);
  expect(await stop(roles)).toBe(0);

  await restore('outbox');
  expect(await deliveryOf(ids.after)).toBeNull();
  expect(await Promise.all([ids.delivered, ids.held, ids.slow, ids.dead].map(deployment.status))).toEqual([
    'DELIVERED',
    'PENDING',
    'STARTED',
    'DEAD',
  ]);
  expect(await deployment.records(ids.after)).toBe(1); // the audit log is not of that time

  await startRoles();
  await resume();
  expect(await outbox('dlq', 'redrive', ids.dead, '--reason', 'mended, once more')).toMatchObject({ code: 0 });
  // Their runs are over: a start of the same event and epoch is answered as one that exists, and nothing is sent by it.
  for (const id of [ids.held, ids.dead]) await deployment.untilStatus(id, 'STARTED');
  expect(sentTo(ids.dead)).toBe(2);
  expect(await outbox('temporal', 'adopt', '--lost')).toMatchObject({ code: 0 });
  for (const id of [ids.held, ids.slow, ids.dead]) await deployment.untilStatus(id, 'DELIVERED');
  expect(await deliveryOf(ids.held)).toEqual({ status: 'DELIVERED', epoch: 1, replayed: true });
  for (const id of [ids.delivered, ids.held]) expect(await deployment.records(id)).toBe(1);
  expect([await deliveryOf(ids.slow), await deliveryOf(ids.dead)]).toMatchObject([{ epoch: 1 }, { epoch: 2 }]);
  expect([sentTo(ids.slow), sentTo(ids.dead)]).toEqual([3, 3]); // each by one key: a destination that keeps it collapses them
  expect(await bookSays('balanced')).toContain('4 delivered');
}, 240_000);

it('the audit log restored: what it lost is named, adopted by a person, found by the books and delivered again', async () => {
  await eventually('a checkpoint of all', async () => {
    const { size, unsealed, checkpoint } = JSON.parse((await outbox('audit', 'status', '--json')).stdout);
    return unsealed.count === 0 && checkpoint?.size === size;
  });
  expect(await outbox('audit', 'verify')).toMatchObject({ code: 0 });
  expect(await stop(roles)).toBe(0);
  await restore('audit');

  expect(await deployment.records(ids.delivered)).toBe(1); // in the copy
  expect(await deployment.records(ids.held)).toBe(0);
  const broken = await outbox('audit', 'verify');
  expect(broken).toMatchObject({ code: 1, printed: expect.stringContaining('truncated') });
  const adopted = await outbox('audit', 'adopt', '--lost', '--by', 'Ada', '--reason', 'restored to an earlier time');
  expect(adopted).toMatchObject({ code: 0 });
  await startRoles();
  expect(await bookSays('1 gaps')).toContain('not_in_audit_log');
  const word = ['--reason', 'the audit log was restored', '--force'];
  expect(await outbox('books', '--hour', HOUR, '--repair', '--apply', ...word)).toMatchObject({ code: 0 });
  await eventually('the record, again', async () => (await deployment.records(ids.held)) === 1);
  await bookSays('balanced');
  expect(await outbox('audit', 'verify')).toMatchObject({ code: 0 });
  // In neither copy: nobody can bring it back.
  expect([await deliveryOf(ids.after), await deployment.records(ids.after)]).toEqual([null, 0]);
}, 240_000);
