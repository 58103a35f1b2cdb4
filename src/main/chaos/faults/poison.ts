/** F23: rows that cannot be delivered, one in twenty: refused when they are appended, or dead by themselves. */
import type { AppendedEvent, ChaosEvent, ChaosWorld } from '../ports.js';
import { defineFault } from './define-fault.js';
import { untilStatus } from './look.js';
import { idsOf, type OwnEvent, ownEvents } from './own-events.js';
import { PATIENCE_MS } from './wait.js';

const nested = (levels: number): object => (levels === 0 ? {} : { deeper: nested(levels - 1) });

/** Past the library, as a producer in another language sends them: the database itself must refuse. */
const REFUSED: readonly (readonly [string, (event: OwnEvent) => string])[] = [
  ['deep nesting', (event) => textOf(event, { payload: nested(40) })],
  ['a null character', (event) => textOf(event, { payload: { n: 0, note: 'HERE' } }).replace('HERE', '\\u0000')],
  ['2.5 MB', (event) => textOf(event, { payload: { n: 0, note: 'x'.repeat(2_500_000) } })],
  ['a wrong version', (event) => textOf(event, { aggregate: { ...event.aggregate, version: -1 } })],
  ['a name that is none', (event) => textOf(event, { eventName: 'no name at all!' })],
];

function textOf({ expect: _expect, ...event }: OwnEvent, other: object): string {
  return JSON.stringify({ ...event, ...other });
}

export const poisonRows = defineFault({
  id: 'F23',
  title: 'poison rows, one in twenty: deep nesting, \\u0000, 2.5 MB, unknown type, wrong version',
  weight: 2,
  short: [5, 8],
  long: [40, 60],
  async inflict(world, { random, signal, durationMs, problems, heal }) {
    const calm = await deliver(world, [], signal, problems);
    const end = performance.now() + durationMs;
    let refused = 0;
    let died = 0;
    const took: number[] = [];
    do {
      for (const [name, toText] of REFUSED) {
        if (await isRefused(world, toText)) refused += 1;
        else problems.push(`${name} was not refused when it was appended`);
      }
      // Nobody handles it; three attempts by its policy. Another destination each time: nine failures in a row open no breaker,
      // and once it is open each trial that fails waits twice as long, for minutes.
      const nowhere = `chaos.nowhere-${Math.floor(random() * 2 ** 32).toString(16)}`;
      const unknown = ownEvents(world, 3, { eventType: 'CHAOS_STRICT', expect: 'dead' }).map((event) => ({
        ...event,
        routingKey: nowhere as ChaosEvent['routingKey'],
      }));
      took.push(await deliver(world, unknown, signal, problems));
      const open = await untilStatus(world, idsOf(unknown), ['DEAD'], { withinMs: PATIENCE_MS, signal });
      if (open.length > 0)
        problems.push(`${open.length} of ${unknown.length} events that nobody handles were not dead in time`);
      died += unknown.length - open.length;
    } while (performance.now() < end && !signal.aborted);
    await heal();
    // Of the rounds the middle one: the slowest of a dozen is the machine's.
    const beside = took.sort((a, b) => a - b)[Math.floor((took.length - 1) / 2)] ?? 0;
    if (beside > 3 * calm + 2_000) {
      problems.push(`the others took ${Math.round(beside)} ms beside poison, ${Math.round(calm)} ms without`);
    }
    const what = `${refused} refused at the append, ${died} died alone; the others took ${Math.round(calm)} ms without, ${Math.round(beside)} ms beside them, ${Math.round(took.at(-1) ?? 0)} ms at most`;
    return { happened: refused + died, what };
  },
});

const GOOD = 57;

/** From the commit until nineteen in twenty of the good ones are settled, by the database's clock. */
async function deliver(
  world: ChaosWorld,
  poison: readonly OwnEvent[],
  signal: AbortSignal,
  problems: string[],
): Promise<number> {
  const good = ownEvents(world, GOOD);
  await world.producer.append([...poison, ...good]);
  const open = await untilStatus(world, idsOf(good), ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
  if (open.length > 0) problems.push(`${open.length} of ${GOOD} good events were not delivered in time`);
  const { rows } = await world.outbox.query<{ ms: number }>(
    `SELECT coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM d.settled_at - e.recorded_at) * 1000), 0)::float8 AS ms
     FROM outbox.delivery d JOIN outbox.event e ON e.id = d.event_id WHERE d.event_id = ANY ($1::uuid[])`,
    [idsOf(good)],
  );
  return rows[0]?.ms ?? 0;
}

/** 22023 and 22P05 are the database's words for it. */
async function isRefused(world: ChaosWorld, toText: (event: OwnEvent) => string): Promise<boolean> {
  const [event] = ownEvents(world, 1, { expect: 'either' });
  if (event === undefined) return false;
  const work = async (tx: {
    query: (text: string, values: unknown[]) => Promise<unknown>;
  }): Promise<readonly AppendedEvent[]> => {
    await tx.query('SELECT outbox.record_event($1::text::jsonb)', [toText(event)]);
    return [event];
  };
  return world.producer.write(work as Parameters<typeof world.producer.write>[0]).then(
    () => false,
    (error: { code?: string }) => error.code === '22023' || error.code === '22P05',
  );
}
