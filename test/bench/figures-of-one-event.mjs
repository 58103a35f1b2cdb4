// How long one event takes where nothing waits, and what it costs in Temporal.

const latency = (perSecond) => ({
  use: 'latency',
  label: `composed at ${perSecond}/s`,
  options: { roles: 'composed', perSecond },
});
const quantiles = (name, title) => [
  { name: `${name}-p50`, title: `${title}, p50`, field: 'p50Ms', unit: 'ms' },
  { name: `${name}-p99`, title: `${title}, p99`, field: 'p99Ms', unit: 'ms' },
];
const actions = (shape, label, options) => ({
  name: `actions-${shape}`,
  title: `Temporal actions of an event, ${label}`,
  a: { use: 'temporal-actions', label: `${label}: histories`, options },
  field: 'actions',
  unit: 'actions/event',
  runs: 1,
  why: 'What Temporal Cloud would bill, by the histories of finished runs; without what only a person causes (queries of the Web UI).',
  more: [
    {
      name: `transitions-${shape}`,
      title: `State transitions of an event, ${label}`,
      field: 'stateTransitions',
      unit: 'transitions/event',
    },
    {
      name: `history-${shape}`,
      title: `History events of an event, ${label}`,
      field: 'historyEvents',
      unit: 'events/event',
    },
    {
      name: `history-bytes-${shape}`,
      title: `History of an event, ${label}`,
      field: 'historyBytes',
      unit: 'bytes/event',
    },
  ],
});

/** @type {import('./figures.mjs').Figure[]} */
export const FIGURES_OF_ONE_EVENT = [
  ...[1, 10, 50].map((perSecond) => {
    const title = `commit → record at ${perSecond}/s`;
    const goal = perSecond === 10 ? { goal: { atMost: 100 } } : {};
    return {
      name: `latency-${perSecond}`,
      title: `${title}, p95`,
      a: latency(perSecond),
      field: 'p95Ms',
      unit: 'ms',
      ...goal,
      scale: 3,
      why: 'What a producer waits for what it did to stand in the audit log, warm. Of each run’s events; medians of runs.',
      more: [
        ...quantiles(`latency-${perSecond}`, title),
        {
          name: `latency-${perSecond}-delivered`,
          title: `commit → DELIVERED at ${perSecond}/s, p95`,
          field: 'deliveredP95Ms',
          unit: 'ms',
          ...goal,
          why: 'The record’s own time is taken just before it is written; this one after it was durable and settled, so the truth lies between.',
        },
      ],
    };
  }),
  {
    name: 'first-after-idle',
    title: 'commit → record, the first event after idling',
    a: { use: 'latency', label: 'composed, idle', options: { roles: 'composed', idle: true } },
    field: 'p50Ms',
    unit: 'ms',
    scale: 3,
    runs: 10,
    long: true,
    why: 'A relay that found nothing for a while looks every half to whole second; a producer in its process can give it a hint, which is not used here.',
  },
  actions('local', 'local', { roles: 'composed', events: 20 }),
  actions('regular', 'regular', { roles: 'composed', events: 20, regular: true }),
  actions('coalesced', 'coalesced by 200', { roles: 'composed', coalescing: 200, events: 2_000 }),
];
