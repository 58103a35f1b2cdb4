// The figures beside what does the same without Temporal, and what an event costs. Each job queue is a figure of its own: the
// goal is set against the better one, so both have to hold it.

const composed = { use: 'ours', label: 'composed', options: { roles: 'composed' } };
const coalesced = { use: 'ours', label: 'coalesced by 200', options: { roles: 'composed', coalescing: 200 } };
const bareSingle = { use: 'bare-loop', label: 'bare loop, one POST per event', options: { post: 'single' } };
const bareBulk = { use: 'bare-loop', label: 'bare loop, one POST of 200', options: { post: 'bulk', bulk: 200 } };
const bareTemporal = { use: 'bare-temporal', label: 'bare local + eager', options: { shape: 'local-eager' } };
const relay = { use: 'relay-alone', label: 'relay alone' };
const costOf = ({ use, label, options }) => ({ use: 'cost', label: `${label}: cost`, options: { use, options } });

const delivering = 'From the first claim, or start, to the last event settled; by process below.';

/** @type {import('./figures.mjs').Figure[]} */
export const FIGURES_BESIDE_OTHERS = [
  {
    name: 'coalesced-bare-bulk',
    title: 'coalesced by 200 ÷ bare loop with bulk POST of 200',
    a: coalesced,
    b: bareBulk,
    goal: { atLeast: 0.6 },
    why: 'Behind a backlog: what is left of the cheapest loop that does the same, on the same ingest.',
  },
  ...['graphile-worker', 'pg-boss'].map((queue) => ({
    name: `coalesced-${queue}`,
    title: `coalesced by 200 ÷ ${queue} with one POST per event`,
    a: coalesced,
    b: { use: queue, label: queue },
    goal: { atLeast: 3 },
    why: 'Behind a backlog: what coalescing gains over a job queue that sends each event by itself.',
  })),
  {
    name: 'composed-bare-single',
    title: 'composed ÷ bare loop with one POST per event',
    a: composed,
    b: bareSingle,
    why: 'For orientation: what a run for each event costs in rate, beside a loop that keeps no history and shows nobody anything.',
  },
  {
    name: 'relay-alone',
    title: 'relay alone ÷ bare SKIP LOCKED loop',
    a: relay,
    b: { use: 'bare-relay-loop', label: 'bare loop without POST' },
    goal: { atLeast: 0.8 },
    why: 'What lanes, fairness, caps, breakers and fences cost the claim. One loop beside one relay, 200 rows a claim in both. An upper bound: our clock stands while a stub settles, and PostgreSQL tidies up meanwhile; the bare loop’s never stops.',
  },
  {
    name: 'relay-alone-best',
    title: 'relay alone ÷ bare SKIP LOCKED loop at its best',
    a: relay,
    b: {
      use: 'bare-relay-loop',
      label: 'two bare loops without POST, 1,000 a claim',
      options: { claim: 1_000, loops: 2 },
    },
    why: 'For orientation: the same, an upper bound, too, beside the settings at which the bare loop does most.',
  },
  ...[composed, coalesced].map((ours) => ({
    name: `wal-${ours === composed ? 'composed' : 'coalesced'}`,
    title: `WAL per event, ${ours.label} ÷ the bare loop’s`,
    a: costOf(ours),
    b: costOf(bareSingle),
    field: 'outboxWalBytes',
    unit: 'bytes/event',
    goal: { atMost: 2 },
    why: 'Of the outbox’s database alone (the audit log’s is the same on both sides), full-page images off.',
  })),
  ...Object.entries({
    composed,
    coalesced,
    'bare-temporal': bareTemporal,
    'bare-loop': bareSingle,
    'bare-bulk': bareBulk,
  }).map(([name, one]) => ({
    name: `cost-${name}`,
    title: `CPU of all processes, ${one.label}`,
    a: costOf(one),
    field: 'processorSeconds',
    unit: 'CPU s per 1,000 events',
    why: delivering,
  })),
];
