/**
 * R24: what a person hears of a deployment's roles, as processes of the built command line, with no channel configured: the
 * log. Real: PostgreSQL, Temporal, HTTP. Fake: the destination, a handler of the configuration.
 */
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';

let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
});
afterAll(async () => {
  await endLeftoverCli();
  await deployment.drop();
});

const REFUSING = `defineHandler({ routingKey: 'partner', deliver: async () => {
  throw new IntegrationError('HTTP.CLIENT_ERROR', { status: 404 });
} })`;

it('R24: a dead letter and a lag over its limit are told by the log; the end of the lag, too', async () => {
  const config = await deployment.configFile(REFUSING);
  await deployment.outbox.query(
    `INSERT INTO outbox.pause (id, destination, reason, actor) VALUES (gen_random_uuid(), 'paused', 'test', 'test')`,
  );
  const waiting = await deployment.append({ routingKey: 'paused' });
  await deployment.outbox.query(`UPDATE outbox.delivery SET due_at = now() - interval '1 hour' WHERE event_id = $1`, [
    waiting,
  ]);
  const roles = await deployment.start(
    'relay,worker',
    { OUTBOX_NOTICE_WINDOW_MS: '100', OUTBOX_LAG_LIMIT_SECONDS: '60' },
    ['--config', config],
  );
  const told = (message: string) =>
    eventually(message, async () => roles.lines().find(({ msg }) => msg === message)?.notice as object, 40_000);

  const dead = await deployment.append({ routingKey: 'partner' });
  expect(await told('notice.dead_letters')).toMatchObject({
    eventType: 'ORDER',
    code: 'HTTP.CLIENT_ERROR',
    count: 1,
    samples: [{ eventId: dead }],
  });
  expect(await told('notice.lag_over_limit')).toMatchObject({ limitSeconds: 60 });
  await deployment.outbox.query('DELETE FROM outbox.pause');
  await deployment.outbox.query('UPDATE outbox.delivery SET due_at = now() WHERE event_id = $1', [waiting]);
  expect(await told('notice.recovered')).toMatchObject({ alert: 'lag_over_limit' });
  expect(await stop(roles)).toBe(0);
});
