/** F20: a destination that asks for fewer requests, in every way that Retry-After is written in the wild. */
import type { LedgerMode } from '../ports.js';
import { defineFault } from './define-fault.js';
import { untilStatus } from './look.js';
import { answerOwn, healLedger, idsOf, ownEvents, requestsOf } from './own-events.js';
import { endByHand } from './terminate-run.js';
import { PATIENCE_MS, until } from './wait.js';

interface Asked {
  readonly name: string;
  readonly header: () => string;
  /** Of the delay that follows, in ms: what was asked, clamped to [1 s, 1 h], and the backoff of at most 5 s on top. */
  readonly least: number;
  readonly most: number;
}

const BACKOFF_MS = 5_000;
const inSeconds = (s: number) => new Date(Date.now() + s * 1_000).toUTCString();

const ASKED: readonly Asked[] = [
  { name: 'two seconds', header: () => '2', least: 2_000, most: 2_000 + BACKOFF_MS },
  // A date has no milliseconds, and takes its way.
  { name: 'a date in 6 s', header: () => inSeconds(6), least: 3_500, most: 6_000 + BACKOFF_MS },
  { name: 'a date that has passed', header: () => inSeconds(-600), least: 1_000, most: 1_000 + BACKOFF_MS },
  { name: 'zero', header: () => '0', least: 1_000, most: 1_000 + BACKOFF_MS },
  { name: 'a negative number', header: () => '-5', least: 1, most: BACKOFF_MS },
  { name: 'garbage', header: () => 'soon, maybe', least: 1, most: BACKOFF_MS },
  { name: 'a huge number', header: () => '99999999999', least: 3_600_000, most: 3_600_000 + BACKOFF_MS },
];

export const rateLimited = defineFault({
  id: 'F20',
  title: '429 with Retry-After in seconds, as a date, negative, huge, garbage',
  weight: 2,
  resources: ['ledger'],
  short: [3, 5],
  long: [15, 20],
  heal: healLedger,
  async inflict(world, { signal, problems, heal }) {
    // Of the huge one the end is a person's: nobody waits for an hour.
    const events = ASKED.flatMap(({ name }) => ownEvents(world, 1, name === 'a huge number' ? { expect: 'dead' } : {}));
    const ids = idsOf(events);
    const asked = new Map(ids.map((id, at) => [id, ASKED[at] as Asked]));
    // The second attempt is asked: a first, local one has no row before the next begins.
    answerOwn(world, ids, ({ eventId, n }): LedgerMode => {
      if (n === 1) return { kind: 'status', status: 500 };
      const wish = asked.get(eventId);
      if (n > 2 || wish === undefined) return { kind: 'take' };
      return { kind: 'status', status: 429, headers: { 'retry-after': wish.header() } };
    });
    await world.producer.append(events);
    const limited = () => requestsOf(world, ids).filter(({ status }) => status === 429);
    await until(() => limited().length === ids.length, { withinMs: PATIENCE_MS / 2, signal });
    const delays = await readDelays();
    for (const [id, { name, least, most }] of asked) {
      const delay = delays.get(id);
      if (delay === undefined) problems.push(`${name}: no attempt with HTTP.RATE_LIMITED was written`);
      else if (delay < least || delay > most)
        problems.push(`${name}: expected a delay of ${least} to ${most} ms, got ${delay}`);
    }
    const huge = ids[ids.length - 1] as string;
    if (!signal.aborted) await endByHand(world, [huge], { signal, problems });
    const others = ids.slice(0, -1);
    const open = await untilStatus(world, others, ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
    if (open.length > 0) problems.push(`${open.length} of ${others.length} events were not delivered after their 429`);
    await heal();
    for (const id of others) {
      const [, second, third] = requestsOf(world, [id]);
      const gap = (third?.at ?? 0) - (second?.at ?? 0);
      const { name, least } = asked.get(id) as Asked;
      if (third !== undefined && gap < least - 100)
        problems.push(`${name}: came again after ${gap} ms, before the ${least} asked for`);
    }
    return {
      happened: limited().length,
      what: `${limited().length} answers 429, delays ${[...delays.values()].join(', ')} ms`,
    };

    async function readDelays(): Promise<ReadonlyMap<string, number>> {
      let found = new Map<string, number>();
      await until(
        async () => {
          const { rows } = await world.outbox.query<{ id: string; delay: string }>(
            `SELECT event_id AS id, delay_ms AS delay FROM outbox.delivery_attempt
             WHERE event_id = ANY ($1::uuid[]) AND code = 'HTTP.RATE_LIMITED' AND delay_ms IS NOT NULL`,
            [ids],
          );
          found = new Map(rows.map(({ id, delay }) => [id, Number(delay)]));
          return found.size === ids.length;
        },
        { withinMs: PATIENCE_MS / 2, signal },
      );
      return found;
    }
  },
});
