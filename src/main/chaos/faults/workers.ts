/** F3, F4: the far side of a request dies: the worker that sends it, the api that has just committed it. */

import type pg from 'pg';
import { LEDGER_KEY } from '../chaos-config.js';
import type { ChaosWorld } from '../ports.js';
import { defineFault } from './define-fault.js';
import { count, databaseTime, untilStatus } from './look.js';
import { healLedger, ownEvents } from './own-events.js';
import { tellOpen } from './tell-open.js';
import { PATIENCE_MS, pick, until } from './wait.js';

/** At once, so that whoever is killed has some of them: at one of two workers alone this many would hardly be. */
const HELD = 6;
/** By default: the start-to-close of an attempt and the first delay. */
const TAKEN_OVER_SECONDS = 35;

export const killedWorker = defineFault({
  id: 'F3',
  title: 'kill -9 a worker before and after the POST',
  weight: 3,
  resources: ['worker', 'ledger'],
  short: [4, 8],
  long: [20, 60],
  async heal(world) {
    await healLedger(world);
    await world.proxies.ledger.heal();
  },
  async inflict(world, { random, signal, problems, heal, patience }) {
    const { ledger, proxies, outbox } = world;
    // Before: what is sent does not arrive, so whoever is killed dies with its requests on their way.
    const since = await databaseTime(outbox);
    await proxies.ledger.add('timeout', { timeout: 0 }, { stream: 'upstream' });
    const onTheirWay = `outbox.delivery WHERE status = 'STARTED' AND destination = '${LEDGER_KEY}' AND started_at > $1`;
    await world.producer.append(ownEvents(world, 20));
    await until(async () => (await count(outbox, onTheirWay, [since])) >= HELD, { withinMs: PATIENCE_MS / 2, signal });
    const { rows: unsent } = await outbox.query<{ id: string }>(`SELECT event_id AS id FROM ${onTheirWay}`, [since]);
    const first = pick(world.fleet.of('worker'), random);
    const killedAt = await databaseTime(outbox);
    const unsentBy = first.kill('SIGKILL');
    await unsentBy.ended;
    await proxies.ledger.heal();

    // After: the effect is noted and the answer is still out.
    ledger.mode(() => ({ kind: 'slow', ms: 1_500 }));
    const from = ledger.requests.length;
    await world.producer.append(ownEvents(world, 20));
    const open = () => ledger.requests.slice(from).filter(({ did, at }) => did === 'effect' && at > Date.now() - 1_200);
    await until(() => open().length >= HELD, { withinMs: PATIENCE_MS / 2, signal, everyMs: 20 });
    const unanswered = open();
    // The first one may be starting still, and hold nothing.
    const others = world.fleet.of('worker').filter(({ name }) => name !== first.name);
    const second = pick(others.length > 0 ? others : [first], random);
    const unansweredBy = second.kill('SIGKILL');
    await unansweredBy.ended;
    await healLedger(world);
    // Both may be gone: back is the part with the first of them that is up again.
    const back = [unsentBy, unansweredBy].map(({ nextReady }) => nextReady(60_000));
    await Promise.any(back).catch(() => null); // told below
    await heal();

    const ids = [...unsent.map(({ id }) => id), ...unanswered.map(({ eventId }) => eventId)];
    const dead = await untilStatus(world, ids, ['DELIVERED', 'DEAD'], { withinMs: PATIENCE_MS, signal });
    if (dead.length > 0) {
      problems.push(`${dead.length} events of killed workers were not settled in time: ${await tellOpen(world, dead)}`);
    }
    const keys = new Set(unanswered.map(({ key }) => key));
    const again = ledger.requests.slice(from).filter(({ did, key }) => did === 'again' && keys.has(key)).length;
    await Promise.all(back);
    // Which of them were at the one that was killed, the rows and the ledger tell afterwards.
    const lost = await count(
      outbox,
      "outbox.delivery_attempt WHERE event_id = ANY ($1::uuid[]) AND code = 'DELIVERY.ATTEMPT_LOST'",
      [unsent.map(({ id }) => id)],
    );
    const taken = await takenOverAfter(
      outbox,
      unsent.map(({ id }) => id),
      killedAt,
    );
    const bound = patience * TAKEN_OVER_SECONDS;
    if (taken > bound) {
      problems.push(`the killed worker's attempts were to be taken over within ${bound} s, it took ${taken} s`);
    }
    const what = `killed with ${unsent.length} requests unsent, of which ${lost} attempts were lost and taken over within ${taken} s, and ${unanswered.length} unanswered, of which ${again} came again`;
    return { happened: Math.min(lost, again), what };
  },
});

/**
 * The slowest: seconds from `since` until the attempt began that came after the lost one. The row of a local attempt is written
 * only then, so its own start says nothing.
 */
async function takenOverAfter(outbox: pg.Pool, ids: readonly string[], since: Date): Promise<number> {
  const { rows } = await outbox.query<{ seconds: number }>(
    `SELECT coalesce(round(max(extract(epoch FROM next.started_at - $2::timestamptz)), 1), 0)::float8 AS seconds
     FROM outbox.delivery_attempt lost
     JOIN outbox.delivery_attempt next ON (next.event_id, next.epoch, next.n) = (lost.event_id, lost.epoch, lost.n + 1)
     WHERE lost.event_id = ANY ($1::uuid[]) AND lost.code = 'DELIVERY.ATTEMPT_LOST'`,
    [ids, since],
  );
  return rows[0]?.seconds ?? 0;
}

export const killedApi = defineFault({
  id: 'F4',
  title: 'kill -9 the api between commit and response',
  weight: 2,
  resources: ['api', 'ingest'],
  short: [4, 8],
  long: [15, 40],
  heal: ({ proxies }) => proxies.ingest.heal(),
  async inflict(world, { random, signal, problems, heal }) {
    const { proxies, audit, fleet } = world;
    const before = await count(audit, 'audit.record');
    // What the api commits from now on nobody hears.
    await proxies.ingest.add('timeout', { timeout: 0 }, { stream: 'downstream' });
    await until(async () => (await count(audit, 'audit.record')) > before, {
      withinMs: PATIENCE_MS / 2,
      signal,
      everyMs: 20,
    });
    const member = pick(fleet.of('api'), random);
    const victim = member.kill('SIGKILL');
    await victim.ended;
    const { rows: committed } = await audit.query<{ id: string; record: string }>(
      "SELECT event_id AS id, record_id AS record FROM audit.record WHERE source LIKE 'outbox%' ORDER BY recorded_at DESC LIMIT $1",
      [Math.max(0, (await count(audit, 'audit.record')) - before)],
    );
    const unheard = await settledReceipts(world, committed, 'open');
    await proxies.ingest.heal();
    await victim.nextReady(60_000);
    await heal(); // back is the one api once it is up again

    const open = await untilStatus(world, [...unheard.keys()], ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
    if (open.length > 0) problems.push(`${open.length} callers had not their record in time after the api died`);
    const receipts = await settledReceipts(world, committed, 'delivered');
    for (const { id, record } of committed) {
      const receipt = receipts.get(id);
      if (receipt !== undefined && receipt !== record) {
        problems.push(`event ${id}: committed as record ${record}, but the caller was told ${receipt}`);
      }
    }
    return {
      happened: unheard.size,
      what: `the api killed with ${unheard.size} records committed that nobody had heard of`,
    };
  },
});

async function settledReceipts(
  { outbox }: ChaosWorld,
  committed: readonly { readonly id: string }[],
  which: 'open' | 'delivered',
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await outbox.query<{ id: string; receipt: string }>(
    `SELECT event_id AS id, coalesce(receipt->>'id', '') AS receipt FROM outbox.delivery
     WHERE event_id::text = ANY ($1::text[]) AND (status = 'DELIVERED') = $2`,
    [committed.map(({ id }) => id), which === 'delivered'],
  );
  return new Map(rows.map(({ id, receipt }) => [id, receipt]));
}
