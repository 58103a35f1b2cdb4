// R9 as a whole. Real: the built command line, api, relay and worker as processes, PostgreSQL, Temporal. Fake: a destination, a
// scripted HTTP server behind httpHandler.
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { startScriptedDestination } from '../support/scripted-destination.js';

let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(() => deployment.drop());

const ORDERED = `policies: {
  ORDER: { ordering: { by: 'aggregate', whenHeadDead: 'block' } },
  STOCK: { ordering: { by: 'aggregate', whenHeadDead: 'skip' } } }`;

const outbox = (...words: string[]) => runOutboxCli(words, deployment.environment);
const stored = async () => {
  const { rows } = await deployment.outbox.query('SELECT name, ordering, actor FROM outbox.event_type ORDER BY name');
  return rows.map(({ name, ordering, actor }) => [name, ordering, actor]);
};

it('R9: `outbox policies apply --ordering` alone says what is ordered; a dry run tells what would be refused', async () => {
  const config = await deployment.configFile('', ORDERED);
  const apply = ['policies', 'apply', '--ordering', '--config', config];
  const unversioned = await deployment.append({ eventType: 'ORDER' });

  const dry = await outbox(...apply, '--dry-run', '--json');
  expect([dry.code, JSON.parse(dry.stdout)]).toEqual([
    0,
    {
      changes: [
        { eventType: 'ORDER', from: 'none', to: 'block' },
        { eventType: 'STOCK', from: 'none', to: 'skip' },
      ],
      unversioned: [expect.objectContaining({ eventType: 'ORDER', events: 1 })],
    },
  ]);
  expect(JSON.parse(dry.stdout).unversioned[0].latest.eventId).toBe(unversioned);
  expect(await stored()).toEqual([]);
  expect((await outbox(...apply, '--dry-run')).stdout).toMatch(/ORDER +ordering none -> block +\(dry run\)\n/);

  expect((await outbox(...apply, '--actor', 'ada', '--event-type', 'STOCK')).code).toBe(0);
  expect(await stored()).toEqual([['STOCK', 'skip', 'ada']]);
  expect((await outbox(...apply, '--actor', 'ada')).code).toBe(0);
  expect((await outbox(...apply, '--actor', 'bob')).stdout).toBe('ordering: nothing changes\n');
  expect(await stored()).toEqual([
    ['ORDER', 'block', 'ada'],
    ['STOCK', 'skip', 'ada'],
  ]);
  await expect(deployment.append({ eventType: 'ORDER' })).rejects.toThrow('aggregate.version');

  const without = await deployment.configFile('', 'policies: {}');
  expect((await outbox('policies', 'apply', '--ordering', '--config', without)).code).toBe(0);
  expect((await stored()).map(([, ordering]) => ordering)).toEqual(['none', 'none']);
  expect((await outbox(...apply)).code).toBe(0);

  for (const wrong of [['apply'], ['apply', '--to-open', '--ordering', '--dry-run']]) {
    expect((await outbox('policies', ...wrong)).code).toBe(64);
  }
});

it('R9: an aggregate is delivered in its order; behind a dead event it waits until a person redrives that one', async () => {
  const got: string[] = [];
  let broken = true;
  const partner = await startScriptedDestination();
  partner.answer((request, response) => {
    const { aggregate } = JSON.parse(request.body) as { aggregate: { id: string; version: number } };
    const refused = broken && aggregate.id === 'a' && aggregate.version === 2;
    got.push(`${aggregate.id}${aggregate.version}${refused ? ' refused' : ''}`);
    response.writeHead(refused ? 422 : 201, { 'content-type': 'application/json' }).end('{"id":"r"}');
  });
  const handler = `httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`;
  const config = await deployment.configFile(handler, ORDERED);
  const api = await deployment.start('api');
  const environment = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  const roles = await deployment.start('relay,worker', environment, ['--config', config]);
  expect(roles.printed()).not.toContain('relay.ordering_differs');
  const ids: Record<string, string> = {};
  for (const [id, version] of [
    ['a', 4],
    ['a', 3],
    ['a', 2],
    ['a', 1],
    ['b', 1],
  ] as const) {
    ids[`${id}${version}`] = await deployment.append({
      eventType: 'ORDER',
      routingKey: 'test.partner',
      availableAt: id === 'a' ? AVAILABLE : undefined,
      aggregate: { type: 'order', id, version },
    });
  }
  await deployment.outbox.query(`UPDATE outbox.delivery SET due_at = now() WHERE event_type = 'ORDER'`);
  await deployment.untilStatus(ids['a2'] as string, 'DEAD');
  await deployment.untilStatus(ids['b1'] as string, 'DELIVERED');

  const blocked = await outbox('events', 'blocked', '--type', 'ORDER', '--json');
  const { items, next } = JSON.parse(blocked.stdout);
  expect([blocked.code, next]).toEqual([0, null]);
  expect(items).toEqual([
    {
      destination: 'test.partner',
      eventType: 'ORDER',
      tenantId: null,
      aggregate: { type: 'order', id: 'a' },
      head: {
        eventId: ids['a2'],
        version: 2,
        epoch: 0,
        deadLetterId: expect.any(String),
        code: 'HTTP.CLIENT_ERROR',
        deadSince: expect.any(String),
      },
      waiting: 2,
    },
  ]);
  expect((await outbox('events', 'blocked')).stdout).toMatch(
    /order\/a {2}version 2 dead HTTP\.CLIENT_ERROR .* 2 wait\nthat is all\n/,
  );

  broken = false;
  expect((await outbox('dlq', 'redrive', items[0].head.deadLetterId, '--reason', 'mended')).code).toBe(0);
  await deployment.untilStatus(ids['a4'] as string, 'DELIVERED');
  expect(got.filter((one) => one.startsWith('a'))).toEqual(['a1', 'a2 refused', 'a2', 'a3', 'a4']);
  expect((await outbox('events', 'blocked')).stdout).toBe('none is blocked\n');
  expect(await stop(roles)).toBe(0);

  // A relay whose configuration says otherwise warns, and goes by what is stored.
  const other = await deployment.configFile(handler, `policies: {}`);
  const differing = await deployment.start('relay,worker', environment, ['--config', other]);
  await eventually('the warning', async () => differing.printed().includes('relay.ordering_differs'));
  expect(differing.printed()).toMatch(/"eventType":"ORDER","configured":"none","stored":"block"/);
  expect(await stop(differing)).toBe(0);
  expect(await stop(api)).toBe(0);
  await partner.close();
}, 90_000);

const AVAILABLE = '2999-01-01T00:00:00Z';
