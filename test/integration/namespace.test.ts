/**
 * R3 at the start of a role: which Temporal namespace an outbox belongs to. Real: PostgreSQL, Temporal. The id of a
 * namespace that is gone is any other UUID.
 */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { createNamespaceGuard } from '../../src/application/delivery/reconcile/namespace-guard.js';
import { loadSettings } from '../../src/infrastructure/config/load-settings.js';
import { createDeploymentStore } from '../../src/infrastructure/prisma/deployment-store.js';
import { plainTemporalTarget } from '../../src/infrastructure/temporal/connect-temporal.js';
import { createCounters } from '../../src/main/counters.js';
import { openDeliveryEnvironment } from '../../src/main/delivery-environment.js';
import { createDeliveryStore, type DeliveryStore, silentLog } from '../support/delivery-line.js';
import { temporalAddress } from '../support/temporal.js';

let store: DeliveryStore;
beforeEach(async () => {
  store = await createDeliveryStore();
});
afterEach(() => store.close());

const kept = () =>
  store.one<{ id: string | null; adopting: boolean }>(
    'SELECT namespace_id AS id, adopting_before IS NOT NULL AS adopting FROM outbox.deployment',
  );
async function open(adoptLost?: boolean) {
  const { name } = await store.one<{ name: string }>('SELECT name FROM outbox.deployment');
  const environment = { OUTBOX_DATABASE_URL: store.url, OUTBOX_DEPLOYMENT: name };
  const context = {
    settings: loadSettings(environment, ['relay']),
    config: {},
    log: pino({ level: 'silent' }),
    counters: createCounters(),
  };
  const { signal } = new AbortController();
  const options = adoptLost === undefined ? { signal } : { signal, adoptLost };
  const opened = await openDeliveryEnvironment(context, plainTemporalTarget(temporalAddress(), 'default'), options);
  const ours = [await opened.namespace.check(), opened.namespace.isOurs()];
  await opened.close();
  return ours;
}

it('R3: the first start keeps the namespace; the next one finds it again', async () => {
  expect(await kept()).toEqual({ id: null, adopting: false });
  expect(await open()).toEqual([true, true]);
  const { id } = await kept();
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await open()).toEqual([true, true]);
  expect(await kept()).toEqual({ id, adopting: false });
});

it('R3: of several that start at once each gets to know the same one', async () => {
  const deployments = createDeploymentStore(store.pool);
  const ids = Array.from({ length: 8 }, () => randomUUID());
  const answers = await Promise.all(ids.map((id) => deployments.keepNamespaceId(id)));
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toBe((await kept()).id);
});

it('R3: another namespace is refused in a sentence, and nothing is changed; a process that owns Temporal adopts', async () => {
  const gone = randomUUID();
  await createDeploymentStore(store.pool).keepNamespaceId(gone);
  await expect(open()).rejects.toThrow(
    new RegExp(`namespace "default" is not the one .*expected id ${gone}, got .*outbox temporal adopt --lost`),
  );
  expect(await kept()).toEqual({ id: gone, adopting: false });
  expect(await open(true)).toEqual([true, true]);
  expect(await kept()).toEqual({ id: expect.not.stringMatching(gone), adopting: true });
});

it('R3: a change while it runs is seen, told until it is over, and not forgotten while nobody answers', async () => {
  const answers: [string | Error, string][] = [
    ['a', 'a'],
    ['b', 'a'],
    [new Error('away'), 'a'],
    ['b', 'b'],
    [new Error('away'), 'b'],
  ];
  const told: string[] = [];
  let at = -1;
  const guard = createNamespaceGuard({
    alerts: {
      raise: async ({ kind, subject }) => void told.push(`raised ${kind} ${subject}`),
      end: async ({ kind, subject }) => void told.push(`ended ${kind} ${subject}`),
    },
    log: silentLog,
    readActual: async () => {
      const actual = answers[at]?.[0];
      if (actual instanceof Error) throw actual;
      return actual as string;
    },
    readStored: async () => answers[at]?.[1] as string,
  });
  const seen: [boolean, boolean][] = [];
  for (at = 0; at < answers.length; at += 1) seen.push([await guard.check(), guard.isOurs()]);
  expect(seen).toEqual([
    [true, true],
    [false, false],
    [false, false],
    [true, true],
    [false, true],
  ]);
  const name = 'reconciler_stopped namespace';
  expect(told).toEqual([`ended ${name}`, `raised ${name}`, `ended ${name}`]);
});
