/**
 * Whose events these are: the transactions of a chaos run (sizes, destinations, types, what rolls back), given to ten tenants of
 * which the first sends half of everything, and to three aggregates that have one in ten. Ids come from the seed, so that an
 * event has the same latency at its destination in the next run of the same seed.
 */
import { draw } from './draw.mjs';
import { noisyShareOf } from './plan.mjs';

export const TENANTS = Array.from({ length: 10 }, (_, at) => `tenant-${at}`);
export const NOISY = TENANTS[0];
export const HOT_SHARE = 0.1;
/** Of the events of hot aggregates: those go one after the other, so more of them would make a run of waiting alone. */
export const HOT_ORDERED_SHARE = 0.2;

const ORDERED_TYPE = 'CHAOS_ORDERED';
const STRICT_TYPE = 'CHAOS_STRICT';
/** Of each tenant, for the ordered events that are of no hot aggregate. */
const ORDERED_AGGREGATES = 40;

/**
 * @param {{ seed: number, next: () => import('../../../src/main/chaos/chaos-traffic.js').PlannedTransaction }} deps
 * `next`: the traffic of a chaos run
 */
export function createProductionTraffic({ seed, next }) {
  const versions = new Map();
  let plan = null;
  let [n, place] = [0, 0];

  const give = (event, at) => {
    n += 1;
    const [who, which, hot, kind] = draw(seed, 'event', n);
    const noisy = who < noisyShareOf(plan, at);
    const { tenantId, id } = hot < HOT_SHARE ? hotAggregate(noisy, which) : otherAggregate(noisy, which, event);
    const isHot = hot < HOT_SHARE;
    const eventType = isHot ? hotType(event, kind) : event.eventType;
    const { expect: _, ...rest } = event;
    return {
      ...rest,
      id: idOf(seed, n),
      tenantId,
      eventType,
      aggregate: { type: 'chaos', id, ...(eventType === ORDERED_TYPE && { version: versionOf(event.routingKey, id) }) },
      ...(eventType === STRICT_TYPE && { expect: 'either' }),
    };
  };
  const versionOf = (routingKey, id) => {
    const line = `${routingKey} ${id}`;
    const version = (versions.get(line) ?? 0) + 1;
    versions.set(line, version);
    return version;
  };
  return {
    /** Before the first transaction. */
    follow(wanted) {
      plan = wanted;
    },
    next() {
      if (plan === null) throw new Error('expected a plan before the first transaction: call follow');
      const { rollBack, events } = next();
      const given = events.map((event, at) => give(event, place + at));
      // What rolls back is beside what is offered.
      if (!rollBack) place += events.length;
      return { rollBack, events: given };
    },
  };
}

/** An aggregate is of one tenant: one of the noisy one's, one each of two quiet ones'. */
function hotAggregate(noisy, which) {
  const at = noisy ? 0 : 1 + Math.floor(which * 2);
  return { tenantId: TENANTS[at], id: `hot-${at}` };
}

function otherAggregate(noisy, which, { eventType, aggregate }) {
  const at = noisy ? 0 : 1 + Math.floor(which * (TENANTS.length - 1));
  const tenantId = TENANTS[at];
  if (eventType !== ORDERED_TYPE) return { tenantId, id: aggregate.id };
  const number = Number(aggregate.id.slice('hot-'.length)) % ORDERED_AGGREGATES;
  return { tenantId, id: `ordered-${at}-${number}` };
}

function hotType({ eventType }, kind) {
  if (kind < HOT_ORDERED_SHARE) return ORDERED_TYPE;
  return eventType === ORDERED_TYPE ? 'CHAOS' : eventType;
}

const FIRST_MS = Date.UTC(2026, 0, 1);

/** A UUIDv7 (RFC 9562): in the order of time, as ids of events are, by a clock of the run's own. */
function idOf(seed, n) {
  const [a, b] = draw(seed, 'id', n).map((value) => Math.floor(value * 2 ** 48));
  const hex = (value, length) => value.toString(16).padStart(length, '0').slice(-length);
  const variant = (8 + (b % 4)).toString(16);
  return `${hex(FIRST_MS + n, 12).replace(/^(.{8})(.{4})$/, '$1-$2')}-7${hex(a, 3)}-${variant}${hex(a >>> 4, 3)}-${hex(b, 12)}`;
}
