/** F17, F18, F30: the network between the roles and what they call. */
import { LEDGER_KEY } from '../chaos-config.js';
import type { ChaosProxy, ChaosWorld, ProxyName } from '../ports.js';
import { pause } from '../within.js';
import { defineFault } from './define-fault.js';
import { count, databaseTime, timesPrinted, untilStatus } from './look.js';
import { healLedger } from './own-events.js';
import { type Probed, probeProxy } from './probe-proxy.js';
import { PATIENCE_MS, pick, until } from './wait.js';

const PROXIES: readonly ProxyName[] = ['outbox', 'audit', 'temporal', 'ledger', 'ingest'];

interface Trouble {
  readonly name: string;
  put(proxy: ChaosProxy): Promise<unknown>;
  /** Whether a caller feels it. */
  felt(probed: Probed): boolean;
}

const BLACK_HOLE = 'a black hole';

const TROUBLES: readonly Trouble[] = [
  {
    name: 'slow',
    put: (proxy) => proxy.add('latency', { latency: 900, jitter: 300 }),
    felt: (probed) => probed.tookMs >= 550,
  },
  {
    name: BLACK_HOLE,
    put: (proxy) => proxy.add('timeout', { timeout: 0 }),
    // However soon: PostgreSQL refuses the probe's user and hangs up, and its end comes through where its words do not.
    felt: ({ answer }) => answer === 'nothing',
  },
  {
    name: 'reset',
    put: (proxy) => proxy.add('reset_peer', { timeout: 200 }),
    felt: ({ answer }) => answer !== 'whole',
  },
  {
    name: 'one byte at a time',
    put: (proxy) => proxy.add('slicer', { average_size: 1, size_variation: 0, delay: 5_000 }),
    felt: ({ pieces }) => pieces >= 4,
  },
  {
    name: 'cut mid-response',
    // Less than the least answer: PostgreSQL asks for a password in nine bytes.
    put: (proxy) => proxy.add('limit_data', { bytes: 4 }),
    felt: ({ answer }) => answer === 'part' || answer === 'nothing',
  },
];

const healAll = async ({ proxies }: ChaosWorld) => {
  for (const proxy of Object.values(proxies)) await proxy.heal();
};

export const badNetwork = defineFault({
  id: 'F17',
  title: 'network: slow, black hole, reset, one byte at a time, cut mid-response, on each connection',
  weight: 4,
  short: [10, 14],
  long: [320, 400],
  heal: healAll,
  async inflict(world, { random, signal, durationMs, short, problems, heal }) {
    const { proxies } = world;
    const pairs = short
      ? TROUBLES.map((trouble) => [trouble, pick(PROXIES, random)] as const)
      : TROUBLES.flatMap((trouble) => PROXIES.map((name) => [trouble, name] as const));
    const holes = short ? 0 : PROXIES.length;
    const shareMs = (durationMs - holes * LONG_HOLE_MS) / (pairs.length - holes);
    const felt: string[] = [];
    for (const [trouble, name] of pairs) {
      if (signal.aborted) break;
      const proxy = proxies[name];
      const isLongHole = !short && trouble.name === BLACK_HOLE;
      const gaveUp = isLongHole ? watchDeadlines(world, name) : null;
      await trouble.put(proxy);
      const overAt = performance.now() + (isLongHole ? LONG_HOLE_MS : shareMs);
      const probed = await probeUntilFelt(proxy, trouble, signal);
      await pause(Math.max(0, overAt - performance.now()), signal);
      // Looked at while it holds: the heal ends whatever would hang for ever.
      if (gaveUp !== null && !signal.aborted) problems.push(...(await gaveUp()));
      await proxy.heal();
      if (trouble.felt(probed)) felt.push(`${trouble.name} at ${name}`);
      else
        problems.push(
          `${trouble.name} at ${name} was not felt: ${probed.answer} in ${Math.round(probed.tookMs)} ms, ${probed.pieces} pieces`,
        );
    }
    await heal();
    await nothingHangs(world, { signal, problems });
    return { happened: felt.length, what: felt.join(', ') };
  },
});

/** A process that stood still for a moment, this one too, reads in one piece what came in many. */
const PROBES = 3;

async function probeUntilFelt(proxy: ChaosProxy, trouble: Trouble, signal: AbortSignal): Promise<Probed> {
  for (let probes = 1; ; probes += 1) {
    const probed = await probeProxy(proxy);
    if (trouble.felt(probed) || probes === PROBES || signal.aborted) return probed;
  }
}

/** A regular attempt has 20 s; the next one, or the reconciler, closes what was lost. Roles answer their probes. */
const LONGEST_ATTEMPT_MS = 25_000;
/** Beyond each of their deadlines. */
const LONG_HOLE_MS = 40_000;

/** What shows that whoever calls through this proxy has given up what is not answered. Ask it while the hole holds. */
function watchDeadlines(world: ChaosWorld, name: ProxyName): () => Promise<string[]> {
  const said = { outbox: /"relay\.store_away"/g, temporal: /"relay\.starts_refused"/g };
  if (name === 'outbox' || name === 'temporal') {
    const before = timesPrinted(world, said[name]);
    return async () =>
      timesPrinted(world, said[name]) > before
        ? []
        : [`no relay gave up a call to the ${name} that was not answered for ${LONG_HOLE_MS / 1_000} s`];
  }
  const destination = name === 'ledger' ? LEDGER_KEY : 'audit.log';
  return async () => {
    const hanging = await count(
      world.outbox,
      `outbox.delivery_attempt a JOIN outbox.delivery d USING (event_id)
       WHERE d.destination = $1 AND a.finished_at IS NULL AND a.started_at < clock_timestamp() - $2 * interval '1 millisecond'`,
      [destination, LONGEST_ATTEMPT_MS],
    );
    return hanging === 0
      ? []
      : [`${hanging} attempts at ${destination} hang for more than ${LONGEST_ATTEMPT_MS / 1_000} s`];
  };
}

async function nothingHangs(world: ChaosWorld, { signal, problems }: { signal: AbortSignal; problems: string[] }) {
  const old = await databaseTime(world.outbox);
  const hanging = 'outbox.delivery_attempt WHERE finished_at IS NULL AND started_at < $1';
  const gone = await until(async () => (await count(world.outbox, hanging, [old])) === 0, {
    ...{ withinMs: LONGEST_ATTEMPT_MS + 35_000, signal },
    everyMs: 500,
  });
  if (!gone) problems.push('attempts that began in the fault had not ended a minute after it');
  for (const member of world.fleet.members) {
    await member.untilReady(30_000).catch((error: unknown) => problems.push(String(error)));
  }
}

export const lostResponse = defineFault({
  id: 'F18',
  title: 'the response is lost after the effect',
  weight: 3,
  resources: ['ledger'],
  short: [3, 5],
  long: [20, 40],
  heal: healLedger,
  async inflict(world, { random, signal, durationMs, problems, heal }) {
    const { ledger } = world;
    const lost = new Set<string>();
    ledger.mode(({ key, n }) => {
      // Now and then also what came again.
      if (n > 3 || random() < 0.4) return { kind: 'take' };
      lost.add(key);
      return { kind: 'lose' };
    });
    await pause(durationMs, signal);
    // A destination whose breaker is open is asked again some seconds later.
    await until(() => lost.size > 0, { withinMs: PATIENCE_MS / 2, signal });
    await heal();
    const ids = [...new Set(ledger.requests.filter(({ key }) => lost.has(key)).map(({ eventId }) => eventId))];
    const stuck = await untilStatus(world, ids, ['DELIVERED', 'DEAD'], { withinMs: PATIENCE_MS, signal });
    if (stuck.length > 0) problems.push(`${stuck.length} events whose answer was lost were not settled in time`);
    const did = (what: string) =>
      ledger.requests.filter((request) => request.did === what && lost.has(request.key)).length;
    if (did('effect') > lost.size) problems.push(`${lost.size} keys had ${did('effect')} effects`);
    return {
      happened: did('again'),
      what: `${lost.size} answers lost, ${did('again')} requests came again, ${did('effect')} effects`,
    };
  },
});

const HALF_PER_CENT = 0.005;
/** So that a run in CI sees any: of some hundred calls half a per cent is none. */
const SHORT_SHARE = 0.03;

export const halfPerCent = defineFault({
  id: 'F30',
  title: 'a random half per cent of all calls fail',
  weight: 2,
  short: [12, 14],
  long: [1_800, 1_800],
  async heal(world) {
    await healAll(world);
    await healLedger(world);
  },
  async inflict(world, { random, signal, durationMs, short, heal }) {
    const { proxies, ledger } = world;
    const share = short ? SHORT_SHARE : HALF_PER_CENT;
    const since = await databaseTime(world.outbox);
    let answered = 0;
    let refused = 0;
    ledger.mode(() => {
      answered += 1;
      if (random() >= share) return { kind: 'take' };
      refused += 1;
      return random() < 0.5 ? { kind: 'status', status: 503 } : { kind: 'lose' };
    });
    const end = performance.now() + durationMs;
    let cuts = 0;
    // A toxic is drawn for a connection and those are kept, so it would hit nothing or one for good. By time instead: a
    // moment's cut of one connection's proxy, as often as that share of the calls the ledger sees.
    // A short run at a low rate may draw nothing in its time: then it goes on until it has.
    const drawn = () => refused + cuts > 0 || performance.now() >= end + PATIENCE_MS / 2;
    while ((performance.now() < end || !drawn()) && !signal.aborted) {
      const before = answered;
      const leftMs = end - performance.now();
      await pause(leftMs > 0 ? Math.min(1_000, leftMs) : 1_000, signal);
      if (random() >= Math.min(0.5, (answered - before) * share)) continue;
      const proxy = proxies[pick(PROXIES, random)];
      await proxy.cut();
      await proxy.heal();
      cuts += 1;
    }
    await heal();
    const failed = await count(world.outbox, 'outbox.delivery_attempt WHERE started_at > $1 AND code IS NOT NULL', [
      since,
    ]);
    const what = `${refused} of ${answered} requests failed by the ledger, connections cut ${cuts} times; ${failed} attempts failed`;
    return { happened: refused + cuts, what };
  },
});
