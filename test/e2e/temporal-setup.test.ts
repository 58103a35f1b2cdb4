// Real: the built command line, a shell, Temporal's CLI and server, and a relay's and worker's own look at the namespace.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress, temporalCli } from '../support/temporal.js';

const namespace = `setup-${randomBytes(4).toString('hex')}`;
const temporal = { TEMPORAL_ADDRESS: temporalAddress(), TEMPORAL_NAMESPACE: namespace };
let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterAll(async () => {
  await endLeftoverCli();
  await deployment.drop();
});

describe('outbox temporal setup --print', () => {
  it('prints what a shell can run: a namespace with the retention, in which roles that may make nothing deliver', async () => {
    const config = await deployment.configFile('', 'policies: { ORDER: { deadlineMs: 100 * 3_600_000 } }');
    const { code, stdout } = await runOutboxCli(['temporal', 'setup', '--print', '--config', config], temporal);
    expect(code).toBe(0);
    const env = { PATH: `${dirname(temporalCli())}:/usr/bin:/bin`, HOME: process.env.HOME ?? '/' };
    await promisify(execFile)('sh', ['-euc', stdout], { env, timeout: 60_000 });
    const connection = await Connection.connect({ address: temporalAddress() });
    const { config: made } = await connection.workflowService.describeNamespace({ namespace });
    await connection.close();
    expect(Number(made?.workflowExecutionRetentionTtl?.seconds)).toBe(101 * 3_600); // an hour above the longest deadline

    const strict = { ...temporal, OUTBOX_SEARCH_ATTRIBUTES: 'require' };
    // The server knows new attributes after a while.
    const worker = await eventually('a worker', () => deployment.start('worker', strict), 60_000);
    const relay = await deployment.start('relay', strict);
    const id = await deployment.append({});
    await eventually('a start', async () => (await deployment.status(id)) !== 'PENDING', 60_000);
    expect(await stop(relay)).toBe(0);
    expect(await stop(worker)).toBe(0);
  }, 120_000);

  it('shows no key, and prints the commands of Temporal Cloud for its address', async () => {
    const cloud = {
      TEMPORAL_ADDRESS: 'eu-west-1.aws.api.temporal.io:7233',
      TEMPORAL_NAMESPACE: 'shop.a1b2c',
      TEMPORAL_API_KEY: 'canary-secret',
      OUTBOX_SEARCH_ATTRIBUTE_PREFIX: 'Shop',
    };
    const { code, printed } = await runOutboxCli(['temporal', 'setup', '--print'], cloud);
    expect(code).toBe(0);
    expect(printed).toMatch(
      /^tcld namespace create --namespace shop\.a1b2c --region eu-west-1 .*ShopErrorCode=Keyword$/m,
    );
    expect(printed).not.toContain('canary-secret');
    const { stdout } = await runOutboxCli(['temporal', 'setup', '--print', '--json'], cloud);
    expect(JSON.parse(stdout)).toMatchObject({ cloud: true, retentionHours: 72, namespace: 'shop.a1b2c' });
  });

  it('without --print is refused, as it would run nothing', async () => {
    const { code, printed } = await runOutboxCli(['temporal', 'setup'], temporal);
    expect([code, printed]).toEqual([64, expect.stringContaining('expected --print')]);
  });
});
