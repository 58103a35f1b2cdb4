/** F19: a destination that fails everything, then a tenth, and what comes back to it. */
import { LEDGER_KEY } from '../chaos-config.js';
import type { ChaosWorld, LedgerRequest } from '../ports.js';
import { pause } from '../within.js';
import { defineFault } from './define-fault.js';
import { count, untilStatus } from './look.js';
import { healLedger, ownEvents } from './own-events.js';
import { PATIENCE_MS, until } from './wait.js';

/** Of what waited, so much may come back within one second, where enough waited to tell. */
const HERD_SHARE = 0.5;
const ENOUGH = 40;
/** Runs that meet the outage together: the breaker lets few of the others come so far. */
const TOGETHER = 60;

export const failingDestination = defineFault({
  id: 'F19',
  title: 'the destination fails all for three minutes, then a tenth',
  weight: 2,
  resources: ['ledger'],
  short: [12, 14],
  long: [240, 270],
  // Once its breaker has closed, the runs that slept come back first, spread over up to a minute, and new ones have what room
  // these leave of a ramp that doubles every five seconds (R6).
  recoversWithinSeconds: 30,
  heal: healLedger,
  async inflict(world, { random, signal, durationMs, problems, heal }) {
    const { ledger } = world;
    // A ramp that is still under way would let too few of them meet the outage together.
    await until(async () => (await count(world.outbox, WELL)) === 0, { withinMs: PATIENCE_MS, signal, everyMs: 500 });
    const from = ledger.requests.length;
    ledger.mode(() => ({ kind: 'status', status: 503 }));
    await world.producer.append(ownEvents(world, TOGETHER));
    await pause(durationMs * 0.75, signal);
    const refusals = () => ledger.requests.slice(from).filter(({ did }) => did === 'refused');
    // A breaker that another fault has opened asks again some seconds later.
    await until(() => refusals().length > 0, { withinMs: PATIENCE_MS / 2, signal });
    const refused = refusals();
    const betterAt = Date.now();
    const better = ledger.requests.length;
    const asleep = await startedAtLedger(world);
    ledger.mode(() => (random() < 0.1 ? { kind: 'status', status: 503 } : { kind: 'take' }));
    await pause(durationMs * 0.25, signal);
    await heal();
    const waiting = new Set([...refused.map(({ key }) => key), ...asleep]);
    const after = () => ledger.requests.slice(better).filter(({ key }) => waiting.has(key));
    // A breaker that opened again and again is tried only after minutes. A type with few attempts may have died in the outage, and lawfully: it does not come back.
    const ids = [...new Set(refused.map(({ eventId }) => eventId))];
    const open = await untilStatus(world, ids, ['DELIVERED', 'DEAD'], { withinMs: 150_000, signal, everyMs: 500 });
    if (open.length > 0) problems.push(`${open.length} of ${ids.length} refused events had no end in time after it`);
    const firsts = firstOf(after()).map(({ at }) => at - betterAt);
    const most = mostWithin(firsts, 1_000);
    if (most > waiting.size * HERD_SHARE) {
      problems.push(`a herd: ${most} of ${waiting.size} events that waited came back within one second`);
    }
    const what = `${refused.length} requests refused; of ${waiting.size} events whose runs waited at most ${most} came back in one second`;
    return { happened: waiting.size < ENOUGH ? 0 : refused.length, what };
  },
});

const WELL = `outbox.destination WHERE name = '${LEDGER_KEY}'
  AND (breaker <> 'closed' OR closed_at > clock_timestamp() - interval '20 seconds')`;

/** The keys of those whose runs sleep, for their next attempt or for the breaker: the key is the event's id. */
async function startedAtLedger({ outbox }: ChaosWorld): Promise<readonly string[]> {
  const { rows } = await outbox.query<{ id: string }>(
    `SELECT event_id AS id FROM outbox.delivery WHERE destination = '${LEDGER_KEY}' AND status = 'STARTED'`,
  );
  return rows.map(({ id }) => id);
}

function firstOf(requests: readonly LedgerRequest[]): readonly LedgerRequest[] {
  const first = new Map<string, LedgerRequest>();
  for (const request of requests) if (!first.has(request.key)) first.set(request.key, request);
  return [...first.values()];
}

/** The most that lie within `ms` of each other. */
function mostWithin(times: readonly number[], ms: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  let most = 0;
  let begin = 0;
  for (const [end, at] of sorted.entries()) {
    while (at - (sorted[begin] as number) > ms) begin += 1;
    most = Math.max(most, end - begin + 1);
  }
  return most;
}
