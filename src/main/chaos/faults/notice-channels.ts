/** F28: the channels are down, slow or busy while many deliveries end. */
import type { ChaosWorld } from '../ports.js';
import { defineFault } from './define-fault.js';
import { count, timesPrinted, untilStatus } from './look.js';
import { answerOwn, healLedger, idsOf, ownEvents } from './own-events.js';
import { PATIENCE_MS, until } from './wait.js';

/** At ten events a second the storm of the long form takes a minute and a half by itself, and there is a flow beside it. */
const STORM_MS = 240_000;

/** As the SDK's core tells of it, but for one that a busy machine kept waiting (TMPRL1101); and what nobody caught. */
const FAILED_TASK = /Failing workflow task(?!.*TMPRL1101)|process\.unhandled_rejection/g;

const KINDS = [
  { status: 500 },
  { status: 200, delayMs: 20_000 },
  { status: 429, headers: { 'retry-after': '2' } },
] as const;

export const deafChannels = defineFault({
  id: 'F28',
  title: 'Slack or Sentry down, slow or 429 in a storm of a thousand failures',
  resources: ['ledger', 'notices'],
  short: [6, 10],
  long: [100, 160],
  async heal(world) {
    world.notices.mode(() => ({ status: 200 }));
    await healLedger(world);
  },
  async inflict(world, { random, signal, short, problems, heal }) {
    const { notices, outbox } = world;
    const from = notices.received.length;
    const first = Math.floor(random() * KINDS.length);
    notices.mode((channel, n) => {
      if (channel === 'webhook') return { status: 200 };
      return KINDS[(first + (channel === 'slack' ? n : n + 1)) % KINDS.length] ?? { status: 500 };
    });
    const events = ownEvents(world, short ? 100 : 1_000, { expect: 'dead' });
    const ids = idsOf(events);
    answerOwn(world, ids, () => ({ kind: 'status', status: 422 }));
    const failedTasks = timesPrinted(world, FAILED_TASK);
    const begunAt = performance.now();
    for (let at = 0; at < events.length && !signal.aborted; at += 100) {
      await world.producer.append(events.slice(at, at + 100));
    }
    const patience = { withinMs: short ? PATIENCE_MS : STORM_MS, signal, everyMs: 500 };
    const open = await untilStatus(world, ids, ['DEAD'], patience);
    if (open.length > 0) problems.push(`${open.length} of ${ids.length} failed events had no letter in time`);
    const stormMs = performance.now() - begunAt;
    // The channels stay as they are until a notice has met them.
    const met = () => notices.received.slice(from).filter(({ channel }) => channel !== 'webhook').length;
    await until(() => met() > 0, { withinMs: windowMs(world) + 20_000, signal });
    await heal();
    const rows = 'outbox.notification WHERE event_id = ANY ($1::uuid[])';
    const letters = ids.length - open.length;
    const noticed = await count(outbox, rows, [ids]);
    if (noticed < letters) problems.push(`${letters} letters have ${noticed} notification rows`);
    const withinMs = windowMs(world) + 90_000;
    const done = await until(async () => (await count(outbox, `${rows} AND done_at IS NULL`, [ids])) === 0, {
      ...{ withinMs, signal },
      everyMs: 1_000,
    });
    if (!done)
      problems.push(`notification rows of the storm were not done ${withinMs / 1_000} s after the channels were back`);
    const told = notices.received
      .slice(from)
      .filter(({ channel, status }) => channel === 'webhook' && status < 300).length;
    if (told === 0) problems.push('the channel that was up got no notice');
    // A group for each window is lawful, however long the machine takes for the storm.
    const windows = Math.ceil(stormMs / windowMs(world)) + 2;
    if (told > Math.min(Math.max(ids.length / 5, windows), ids.length / 2))
      problems.push(`not grouped: ${told} notices for ${ids.length} letters of one type and code`);
    if (timesPrinted(world, FAILED_TASK) > failedTasks)
      problems.push('a workflow task failed for a channel that was down');
    return {
      happened: met(),
      what: `${met()} notices met a channel that was down, slow or busy; ${told} others told of ${ids.length} letters`,
    };
  },
});

function windowMs({ environment }: ChaosWorld): number {
  return Number(environment.OUTBOX_NOTICE_WINDOW_MS ?? 60_000);
}
