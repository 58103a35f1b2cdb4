/**
 * How long a burst, a slow period or a storm may be felt, by arithmetic alone: what is offered flows in, what the line was
 * measured to deliver flows out, and the backlog is gone when it is gone. Pure.
 */
import { rateAt, weatherAt } from './plan.mjs';
import { HOT_ORDERED_SHARE, HOT_SHARE } from './traffic.mjs';
import { MEAN_SECONDS } from './weather.mjs';

const STEP_MS = 100;
const LEDGER_SHARE = 0.6;
/** Requests to the ledger at once: two workers, 32 local attempts each. Regular ones come on top and are not counted on. */
const AT_ONCE = 64;
/** Of an event that goes when the one before it has gone: its answer, its run, a look of the relay. */
const ONE_BY_ONE_SECONDS = 0.5;
/** Events: less than that is no backlog. */
const NONE = 1;
/** The arithmetic is given up: what is offered is more than flows out. */
const MOST_MS = 3_600_000;

/**
 * For each burst, slow period and storm of the plan: seconds from its end until the backlog is gone; null: never, by this
 * arithmetic (the load is too much for the line).
 * @param {import('./plan.mjs').Plan} plan
 * @param {number} capacityPerSecond measured
 * @param {(ms: number) => boolean} [away] whether the ledger's breaker was seen to keep it from being called then: its rests are its
 *   own, twice as long each time (docs/decisions/recovery.md)
 */
export function drainSeconds(plan, capacityPerSecond, away = () => false) {
  const endMs = plan.seconds * 1_000;
  const left = plan.spans.map((span) => ({ span, emptyAtMs: null }));
  let [ledger, audit] = [0, 0];
  for (let ms = 0; ms < endMs + MOST_MS; ms += STEP_MS) {
    const step = STEP_MS / 1_000;
    const offered = rateAt(plan, ms) * step;
    ledger += offered * LEDGER_SHARE;
    audit += offered * (1 - LEDGER_SHARE);
    const out = capacityPerSecond * step;
    const most = away(ms) ? 0 : ledgerCapacity(weatherAt(plan, ms), capacityPerSecond) * step;
    // What one of the two does not need, the other has.
    const toLedger = Math.min(ledger, most, Math.max(out * LEDGER_SHARE, out - audit));
    ledger -= toLedger;
    audit -= Math.min(audit, out - toLedger);
    if (ledger + audit >= NONE) continue;
    for (const one of left) if (one.emptyAtMs === null && ms >= one.span.toMs) one.emptyAtMs = ms;
    if (ms >= endMs && left.every(({ emptyAtMs }) => emptyAtMs !== null)) break;
  }
  return left.map(({ span, emptyAtMs }) =>
    emptyAtMs === null ? null : (emptyAtMs - span.toMs) / 1_000 + oneByOne(plan, span),
  );
}

function ledgerCapacity(weather, capacityPerSecond) {
  if (weather === 'storm') return 0;
  if (weather === 'tenth') return capacityPerSecond * 0.9;
  return Math.min(capacityPerSecond, AT_ONCE / MEAN_SECONDS[weather]);
}

/** The ordered events of the busiest hot aggregate that the span has left at the ledger: they begin when the rest is gone, at worst. */
function oneByOne(plan, { kind, fromMs, toMs }) {
  const perSecond = kind === 'burst' ? plan.burstPerSecond : plan.calmPerSecond;
  const noisy = plan.noisyShare[kind === 'burst' ? 'burst' : 'calm'];
  const busiest = Math.max(noisy, (1 - noisy) / 2);
  const share = HOT_SHARE * HOT_ORDERED_SHARE * LEDGER_SHARE * busiest;
  return ((toMs - fromMs) / 1_000) * perSecond * share * ONE_BY_ONE_SECONDS;
}
