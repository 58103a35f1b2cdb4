/** What a production-like run measured, from its own samples and the books: pure, so that a test writes them by hand. */
import { drainSeconds } from './drain.mjs';
import { QUIET_MS } from './plan.mjs';
import { NOISY } from './traffic.mjs';

/** While the line warms to its flow nothing is a baseline yet. */
const WARM_MS = 10_000;
const LEAST_BASELINE = { lagSeconds: 1, open: 20 };
/** After these the destination may have had the effect, and its answer did not arrive. */
const ANSWER_LOST = ['HTTP.TIMEOUT', 'HTTP.NETWORK', 'DELIVERY.ATTEMPT_LOST', 'DELIVERY.CANCELLED'];
const MEBIBYTE = 2 ** 20;

/**
 * @typedef {object} Sample one a second
 * @property {number} atMs since the flow began
 * @property {number | null} lagSeconds how long the oldest due event has waited; null: not asked successfully
 * @property {number | null} open events that are neither delivered, dead nor discarded
 * @property {number} owed events that were offered and are not appended yet
 *
 * @param {object} run
 * @param {number} run.seed
 * @param {import('./plan.mjs').Plan} run.plan
 * @param {number | null} run.capacityPerSecond
 * @param {number} run.flowBeganAt milliseconds since the epoch
 * @param {readonly Sample[]} run.samples
 * @param {ReadonlyMap<string, import('../../../src/main/chaos/chaos-journal.js').JournalledEvent>} run.journal
 * @param {import('../../../src/main/chaos/books.js').Books} run.books
 * @param {readonly import('../../../src/main/chaos/ports.js').LedgerRequest[]} run.requests
 */
export function measureProduction(run) {
  const events = flownEvents(run);
  const recoveries = recoveriesOf(run);
  const fairness = fairnessOf(run.plan, events, recoveries);
  return {
    figures: {
      ...recoveryFigures(run, recoveries),
      breakerAfterStormSeconds: breakerAfterStorms(run),
      quietOverOwnSeconds: overOwn(fairness),
      unexplainedDuplicates: unexplained(run),
      ...shownFigures(run, events),
    },
    lag: lagOf(run),
    recoveries,
    fairness,
    bySecond: bySecond(run.plan, events),
  };
}

/** Of the whole run: from its comparison and its record. */
export function figuresOfRun({ record, books, booksAfterStop }) {
  const growth = Object.values(record.memory.growthPerMinute);
  return {
    unwantedExits: record.unwanted.length,
    memoryGrowthMebibytesPerMinute: growth.length === 0 ? null : Math.max(...growth) / MEBIBYTE,
    ...(books !== null && {
      lost: books.lost.length,
      doubled: books.doubled.length,
      phantoms: books.phantoms.length,
      uncompleted:
        books.committed + books.inDoubt.stand + record.neverAppended - books.delivered - books.dead - books.discarded,
      violations: new Set([...books.violations, ...(booksAfterStop?.violations ?? [])]).size,
    }),
  };
}

/** Nearest rank; null of nothing. */
export function quantile(values, part) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
}

function flownEvents({ journal, books, flowBeganAt }) {
  const events = [];
  for (const { id, fate, endedAt, tenantId } of journal.values()) {
    if (fate !== 'committed' || endedAt < flowBeganAt) continue;
    const delivery = books.rows.get(id)?.delivery;
    const settledAt = delivery?.settledAt ?? null;
    events.push({
      id,
      tenantId,
      committedMs: endedAt - flowBeganAt,
      // The row's time is the database's.
      settledMs: settledAt === null ? null : settledAt - books.aheadMs - flowBeganAt,
      startedMs: delivery?.startedAt == null ? null : delivery.startedAt - books.aheadMs - flowBeganAt,
      ordered: delivery?.ordered ?? false,
      delivered: delivery?.status === 'DELIVERED',
    });
  }
  return events;
}

/** Twice what was seen while nothing was wrong: a tenth that fails and waits is no backlog. */
function baselineOf(samples) {
  const quiet = samples.filter(({ atMs }) => atMs >= WARM_MS && atMs < QUIET_MS);
  const most = (what) => Math.max(0, ...quiet.map((sample) => sample[what] ?? 0));
  return {
    lagSeconds: Math.max(LEAST_BASELINE.lagSeconds, 2 * most('lagSeconds')),
    open: Math.max(LEAST_BASELINE.open, 2 * most('open')),
  };
}

/**
 * `joined`: the seconds until the next span began, where it did before this one's lag was back. How long it took is the next
 * one's doing from there on, whose arithmetic begins with what was left over: of this one it is only known that it took longer.
 */
function recoveriesOf({ plan, capacityPerSecond, samples }) {
  const baseline = baselineOf(samples);
  const awaySeconds = new Set(samples.flatMap(({ atMs, away }) => (away ? [Math.floor(atMs / 1_000)] : [])));
  const away = (ms) => awaySeconds.has(Math.floor(ms / 1_000));
  const bounds = capacityPerSecond === null ? [] : drainSeconds(plan, capacityPerSecond, away);
  return plan.spans.map((span, at) => {
    const back = samples.find(
      ({ atMs, lagSeconds, open, owed }) =>
        atMs >= span.toMs &&
        lagSeconds !== null &&
        open !== null &&
        lagSeconds <= baseline.lagSeconds &&
        open <= baseline.open &&
        owed <= baseline.open,
    );
    const tookSeconds = back === undefined ? null : (back.atMs - span.toMs) / 1_000;
    const next = plan.spans.find(({ fromMs }) => fromMs > span.toMs && fromMs < (back?.atMs ?? 0));
    const joined = next === undefined ? null : (next.fromMs - span.toMs) / 1_000;
    return { ...span, tookSeconds, arithmeticSeconds: bounds[at] ?? null, joined };
  });
}

/** The longest, from a storm's end; null: no storm, or one after which it was not seen closed. */
function breakerAfterStorms({ plan, samples }) {
  const after = plan.spans
    .filter(({ kind }) => kind === 'storm')
    .map(({ toMs }) => {
      const closed = samples.find(({ atMs, away }) => atMs >= toMs && away === false);
      return closed === undefined ? null : (closed.atMs - toMs) / 1_000;
    });
  return after.length === 0 || after.includes(null) ? null : Math.max(...after);
}

/** Joined one to the other until the flow ended: the line came back once nothing was offered any more, and that shows nothing. */
function neverWithin({ seconds, spans }, recoveries) {
  const within = recoveries.filter(({ toMs, tookSeconds }) => toMs + (tookSeconds ?? 0) * 1_000 < seconds * 1_000);
  return spans.length > 1 && within.length === 0 ? 1 : 0;
}

function recoveryFigures({ plan, samples }, recoveries) {
  const over = recoveries.flatMap(({ tookSeconds, arithmeticSeconds, joined }) =>
    tookSeconds === null || arithmeticSeconds === null ? [] : [(joined ?? tookSeconds) - arithmeticSeconds],
  );
  const sampled = samples.filter(({ atMs, lagSeconds }) => atMs <= plan.seconds * 1_000 && lagSeconds !== null).length;
  // Of what was not looked at nobody knows whether it came back.
  if (sampled === 0) return { neverRecovered: null, recoveryOverArithmeticSeconds: null, sampledShare: 0 };
  return {
    sampledShare: Math.min(1, sampled / plan.seconds),
    neverRecovered: recoveries.filter(({ tookSeconds }) => tookSeconds === null).length + neverWithin(plan, recoveries),
    recoveryOverArithmeticSeconds: over.length === 0 ? null : Math.max(...over),
  };
}

/** Latencies in seconds. In a burst: of those that nothing else touched. Outside: of what was committed while nothing was felt. */
function fairnessOf(plan, events, recoveries) {
  const felt = recoveries.map(({ kind, fromMs, toMs, tenthUntilMs, tookSeconds }) => ({
    kind,
    fromMs,
    toMs: tookSeconds === null ? Number.POSITIVE_INFINITY : Math.max(tenthUntilMs ?? 0, toMs + tookSeconds * 1_000),
  }));
  // Until it is felt no more: what a storm meets of a burst's backlog is late by the storm.
  const clean = plan.spans.filter(({ kind }, at) => {
    const own = felt[at];
    return (
      kind === 'burst' && !felt.some((other) => other !== own && other.fromMs < own.toMs && own.fromMs < other.toMs)
    );
  });
  const within = (spans) => (ms) => spans.some(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
  const [inBurst, isFelt] = [within(clean), within(felt)];
  const latencies = { quiet: { burst: [], outside: [] }, noisy: { burst: [], outside: [] } };
  const ofQuietInBurst = { untilStarted: [], inOrder: [] };
  for (const { tenantId, committedMs, startedMs, settledMs, delivered, ordered } of events) {
    if (!delivered || settledMs === null) continue;
    const when = inBurst(committedMs) ? 'burst' : isFelt(committedMs) ? null : 'outside';
    if (when === null) continue;
    const seconds = Math.max(0, settledMs - committedMs) / 1_000;
    latencies[tenantId === NOISY ? 'noisy' : 'quiet'][when].push(seconds);
    if (tenantId === NOISY || when === 'outside') continue;
    if (ordered) ofQuietInBurst.inOrder.push(seconds);
    // A run may be quicker than the mark of its start, which comes with the last one of its claim.
    const until = startedMs == null ? null : Math.min(startedMs, settledMs);
    if (until !== null) ofQuietInBurst.untilStarted.push(Math.max(0, until - committedMs) / 1_000);
  }
  const told = (values) => ({ events: values.length, p50: quantile(values, 0.5), p95: quantile(values, 0.95) });
  return {
    cleanBursts: clean.length,
    quiet: {
      burst: told(latencies.quiet.burst),
      outside: told(latencies.quiet.outside),
      untilStarted: told(ofQuietInBurst.untilStarted),
      inOrder: told(ofQuietInBurst.inOrder),
    },
    noisy: { burst: told(latencies.noisy.burst), outside: told(latencies.noisy.outside) },
  };
}

function overOwn({ quiet }) {
  const { burst, outside } = quiet;
  return burst.p95 === null || outside.p95 === null ? null : burst.p95 - 3 * outside.p95;
}

/** By event: what was collapsed, beyond the attempts of it whose answer may have been lost. */
function unexplained({ books, requests }) {
  const again = new Map();
  for (const { eventId, did } of requests) if (did === 'again') again.set(eventId, (again.get(eventId) ?? 0) + 1);
  for (const { id, routingKey, delivery } of books.rows.values()) {
    if (routingKey === 'audit.log' && delivery?.replayed) again.set(id, 1);
  }
  let beyond = 0;
  for (const [id, count] of again) {
    const failures = books.rows.get(id)?.delivery?.failures ?? {};
    const lost = ANSWER_LOST.reduce((sum, code) => sum + (failures[code] ?? 0), 0);
    beyond += Math.max(0, count - lost);
  }
  return beyond;
}

function shownFigures({ plan, requests, flowBeganAt }, events) {
  const bursts = plan.spans.filter(({ kind }) => kind === 'burst');
  const burstSeconds = bursts.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) / 1_000, 0);
  const inBursts = events.filter(({ committedMs }) =>
    bursts.some(({ fromMs, toMs }) => fromMs <= committedMs && committedMs < toMs),
  );
  const noisy = events.filter(({ tenantId }) => tenantId === NOISY).length;
  const flown = requests.filter(({ at }) => at >= flowBeganAt);
  const slowest = flown.reduce((most, { heldMs }) => Math.max(most, heldMs), 0);
  return {
    committedOfPlanned: events.length / plan.events,
    burstOverMean: inBursts.length / burstSeconds / (events.length / plan.seconds),
    noisyShareOff: events.length === 0 ? null : Math.abs(noisy / events.length - 0.5),
    stormRefusals: flown.filter(({ did }) => did === 'refused').length,
    longestAnswerSeconds: slowest / 1_000,
  };
}

function lagOf({ plan, samples }) {
  const lags = samples.flatMap(({ atMs, lagSeconds }) =>
    lagSeconds === null || atMs > plan.seconds * 1_000 ? [] : [lagSeconds],
  );
  return {
    baseline: baselineOf(samples),
    samples: lags.length,
    median: quantile(lags, 0.5),
    p95: quantile(lags, 0.95),
    max: quantile(lags, 1),
  };
}

/** Events committed and settled in each second since the flow began. */
function bySecond({ seconds }, events) {
  const committed = Array.from({ length: Math.ceil(seconds) }, () => 0);
  const settled = [];
  const count = (into, ms) => {
    const at = Math.floor(Math.max(0, ms) / 1_000);
    while (into.length <= at) into.push(0);
    into[at] += 1;
  };
  for (const { committedMs, settledMs } of events) {
    count(committed, committedMs);
    if (settledMs !== null) count(settled, settledMs);
  }
  return { committed, settled };
}
