// Nothing is fake: the file that the roles of a chaos run read, as it is written.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import { type ChaosConfigChoices, writeChaosConfig } from '../../src/main/chaos/chaos-config.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chaos-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(choices: ChaosConfigChoices) {
  const file = await writeChaosConfig({
    ...choices,
    file: join(folder, 'chaos.config.mjs'),
    ledgerUrl: 'http://127.0.0.1:1/events',
    findUrl: 'http://127.0.0.1:1/events/{id}',
    notices: { slackWebhookUrl: 'http://s', sentryDsn: 'http://d', webhookUrl: 'http://w' },
  });
  const text = await readFile(file, 'utf8');
  const policies = JSON.parse(text.slice(text.indexOf('policies: ') + 'policies: '.length, text.lastIndexOf(',\n});')));
  const { coalescings } = resolvePolicies(policies);
  const modeOf = (type: string) => (coalescings.named.get(type) ?? coalescings.otherwise).mode;
  return {
    timeoutMs: Number(/"timeoutMs":(\d+)/.exec(text)?.[1]),
    modes: ['CHAOS', 'CHAOS_ORDERED', 'CHAOS_STRICT'].map(modeOf),
  };
}

it('a run of its own choice waits longer for the ledger and coalesces every type; by default each event goes alone', async () => {
  expect(await write({})).toEqual({ timeoutMs: 5_000, modes: ['off', 'off', 'off'] });
  expect(await write({ ledgerTimeoutMs: 15_000, coalescing: 'always' })).toEqual({
    timeoutMs: 15_000,
    modes: ['always', 'always', 'always'],
  });
});
