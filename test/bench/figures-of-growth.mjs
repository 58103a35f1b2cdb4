// What changes when much waits, when something stands in the way, when there are more relays, and over time.

const size = (n) => (n >= 1_000_000 ? `${n / 1_000_000}M` : `${n / 1_000}k`);
const growth = (waiting) => ({
  use: 'growth',
  label: `coalesced by 200, ${size(waiting)} waiting`,
  options: { roles: 'composed', coalescing: 200, waiting },
});
/** So that the cap, which all relays share, is not what is measured. */
const MANY_RUNS = 5_000;
const relays = (n) => ({
  use: 'relay-alone',
  label: `${n} relay${n === 1 ? '' : 's'} alone`,
  options: { relays: n, maxRuns: MANY_RUNS, settleBeside: true },
});
const composed = { use: 'ours', label: 'composed', options: { roles: 'composed' } };
const held = {
  use: 'ours',
  label: 'composed beside a held snapshot',
  options: { roles: 'composed', heldSnapshot: true },
};

/** As docs/running.md says: without them V8 takes what the machine has. */
const NODE_OPTIONS = '--max-semi-space-size=16 --max-old-space-size=256';
const MOST_MIB = { api: 300, relay: 300, worker: 400 };
const memoryOf = (how) => (role) => [
  {
    name: `memory-${how}${role}`,
    title: `${role}: most memory at ${how === '' ? '1M' : '2M'} waiting${how === '' ? '' : ', coalesced by 200'}`,
    field: `${role}MostMiB`,
    unit: 'MiB',
    goal: { atMost: MOST_MIB[role] },
  },
  {
    name: `memory-${how}${role}-growth`,
    title: `${role}: growth of memory in ten minutes${how === '' ? '' : ', coalesced by 200'}`,
    field: `${role}GrowthPercent`,
    unit: '%',
    goal: { atMost: 5 },
    why: 'Flat, as we mean it: a line through the samples rises by less than five per cent of their median.',
  },
];
const memory = (how) => Object.keys(MOST_MIB).flatMap(memoryOf(how));

/** @type {import('./figures.mjs').Figure[]} */
export const FIGURES_OF_GROWTH = [
  ...[1_000, 100_000, 1_000_000].map((waiting) => ({
    name: `growth-${size(waiting).toLowerCase()}`,
    title: `drain rate at ${size(waiting)} ÷ at 10k waiting, coalesced by 200`,
    a: growth(waiting),
    b: growth(10_000),
    field: waiting === 1_000 ? 'perSecond' : 'steadyPerSecond',
    ...(waiting === 1_000_000 ? { goal: { atLeast: 0.9 } } : {}),
    scale: 6,
    long: true,
    why:
      waiting === 1_000
        ? 'For orientation: a thousand are five batches, mostly start and end, so here both are rates of the whole.'
        : 'Whether a large backlog drains as fast as a small one: claims, indexes, dead rows.',
  })),
  ...[1_000, 1_000_000].map((waiting) => ({
    name: `claim-${size(waiting).toLowerCase()}`,
    title: `claim of 200 at ${size(waiting)} waiting, p99`,
    a: { use: 'claim-time', label: `claims at ${size(waiting)} waiting`, options: { waiting } },
    field: 'p99Ms',
    unit: 'ms',
    ...(waiting === 1_000_000 ? { goal: { atMost: 20 }, long: true } : {}),
    why: 'What a claim costs beside a backlog: 21 lanes, the real store, row by row as a running relay leaves them.',
    more: [
      {
        name: `claim-${size(waiting).toLowerCase()}-p50`,
        title: `claim of 200 at ${size(waiting)} waiting, p50`,
        field: 'p50Ms',
        unit: 'ms',
      },
    ],
  })),
  {
    name: 'held-snapshot',
    title: 'composed beside a held snapshot ÷ without',
    a: held,
    // A minute is enough for what does not change.
    b: { ...composed, scale: 6 },
    goal: { atLeast: 0.9 },
    scale: 30,
    long: true,
    why: 'Five minutes at full rate beside a transaction that keeps every dead version: what a backup or a report costs the claim. Its runs have five times as many events.',
    more: [
      {
        name: 'held-snapshot-late',
        title: 'the same, from 60 to 90 % of each run’s events',
        field: 'latePerSecond',
        why: 'Dead versions pile up: what the rate has come to when most of them lie there. About minutes 3:00 to 4:30 of five, on the larger table, beside seconds 36 to 54 of one.',
      },
    ],
  },
  ...[2, 4].map((n) => ({
    name: `relays-${n}`,
    title: `${n} relays ÷ 1, starter stubbed`,
    a: relays(n),
    b: relays(1),
    why: 'Claims and marks a second: whether relays beside each other stand in each other’s way. They share two cores with PostgreSQL.',
  })),
  ...[
    { how: '', options: { waiting: 1_000_000 }, what: 'one event to a run' },
    // More, so that some wait after ten minutes, too.
    { how: 'coalesced-', options: { waiting: 2_000_000, coalescing: 200 }, what: '200 events to a run' },
  ].map(({ how, options, what }) => {
    const [first, ...more] = memory(how);
    return {
      ...first,
      a: { use: 'memory', label: `apart, ${what}`, options: { roles: 'apart', nodeOptions: NODE_OPTIONS, ...options } },
      scale: 60,
      runs: 1,
      long: true,
      why: `Resident memory of each role as a process of its own, ten minutes at full rate behind the backlog, ${what}.`,
      more,
    };
  }),
];
