import { z } from 'zod';
import { timeSchema } from './answers.js';
import { destinationListSchema } from './destinations-api.js';

/** How the delivery stands now, and its figures of a while, over HTTP. */

export const OVERVIEW_PATH = '/ops/v1/overview';
export const FIGURES_PATH = '/ops/v1/figures';

/** How far rows are counted for people; what is more is "so many or more". */
export const OVERVIEW_BOUNDS = { open: 10_000, letters: 100_000, sample: 5_000, names: 100, alerts: 100 } as const;

const latency = {
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
};
const PERCENTILES = 'Commit to DELIVERED: at most so many milliseconds; null: nothing was measured.';

const backlogSchema = z.object({
  due: z.int().meta({ description: 'Events that are due; counted up to `OVERVIEW_BOUNDS.open` a destination.' }),
  lagSeconds: z.int().meta({ description: 'Age of the oldest one that is due; 0: none is.' }),
});

const rateSchema = z
  .object({
    perSecond: z.number(),
    overSeconds: z.number().meta({ description: 'The time that it was counted over.' }),
    ...latency,
    byDestination: z.array(z.object({ name: z.string(), perSecond: z.number() })),
    byEventType: z.array(z.object({ name: z.string(), perSecond: z.number() })),
    byTenant: z.array(z.object({ name: z.string(), perSecond: z.number() })),
  })
  .meta({ description: `The latest ${5_000} deliveries of the last minute. ${PERCENTILES}` });

const runsSchema = z.object({
  inFlight: z.int().meta({ description: 'Counted up to `OVERVIEW_BOUNDS.open` a destination.' }),
  retrying: z.int().meta({ description: 'Of those that are due last, these have failed before.' }),
  retryingAtLeast: z.boolean().meta({ description: 'true: not every run was asked, and there may be more.' }),
});

const lettersSchema = z.object({
  open: z.int().meta({ description: 'Counted up to `OVERVIEW_BOUNDS.letters`.' }),
  oldestAt: timeSchema.nullable(),
});

const alertsSchema = z.array(
  z.object({
    kind: z.string(),
    subject: z.string(),
    fields: z.record(z.string(), z.unknown()),
    since: timeSchema,
    lastAt: timeSchema,
    times: z.int(),
  }),
);

const booksSchema = z.object({
  hours: z.int().meta({ description: 'Hours that were looked at.' }),
  withGaps: z.int(),
  oldestGap: timeSchema.nullable(),
  checkedAt: timeSchema.nullable().meta({ description: 'When the last look began.' }),
  lateSince: timeSchema.nullable().meta({
    description: 'Since then a look is due, for more than two hours; null: none is so late.',
  }),
  waitsFor: z.string().nullable().meta({ description: 'The error that a look waits for, one of docs/errors.md.' }),
});

const sealSchema = z.object({
  size: z.int(),
  unsealed: z.int(),
  countedUpTo: z.int().meta({ description: 'How far `unsealed` was counted: at it there may be more.' }),
  oldestSeconds: z.int().nullable().meta({ description: 'Age of the oldest record that is not sealed.' }),
  checkpoint: z.object({ size: z.int(), ageSeconds: z.int() }).nullable(),
  trouble: z.array(z.string()),
  notes: z.array(z.string()).meta({ description: 'What is as it was set up, and protects less than it could.' }),
});

const verificationSchema = z
  .object({
    endedAt: timeSchema.nullable(),
    state: z.enum(['asked', 'running', 'done', 'failed']),
    outcome: z.enum(['whole', 'broken']).nullable(),
    records: z.int().nullable(),
  })
  .nullable()
  .meta({
    description:
      'The latest of the whole log, or, of any part, the one that found it broken, which stands; null: never.',
  });

/** What a process says of a part that it needs. */
const seenPartSchema = z.object({ ok: z.boolean(), reason: z.string().nullable(), at: timeSchema });

const processesSchema = z.array(
  z.object({
    id: z.string(),
    roles: z.array(z.enum(['relay', 'worker'])),
    host: z.string(),
    pid: z.int(),
    version: z.string(),
    startedAt: timeSchema,
    seenAt: timeSchema,
    /** Longer ago than `PROCESS_SILENT_MS`: what it says below is what it said then. */
    silent: z.boolean(),
    temporal: seenPartSchema.nullable(),
    auditApi: seenPartSchema.nullable(),
    namespace: z.string().nullable(),
  }),
);
/** A relay and a worker tell of themselves every five seconds. */
export const PROCESS_SILENT_MS = 15_000;

const databaseSchema = z.object({ tookMs: z.number() });

const VALUES = {
  outboxDatabase: databaseSchema,
  auditDatabase: databaseSchema,
  backlog: backlogSchema,
  rate: rateSchema,
  runs: runsSchema,
  letters: lettersSchema,
  destinations: destinationListSchema,
  alerts: alertsSchema,
  books: booksSchema,
  processes: processesSchema,
  seal: sealSchema,
  verification: verificationSchema,
} as const;
export const OVERVIEW_PARTS = Object.keys(VALUES) as readonly OverviewPartName[];
export type OverviewPartName = keyof typeof VALUES;
export type OverviewValue<Name extends OverviewPartName> = z.infer<(typeof VALUES)[Name]>;

const partOf = <Name extends OverviewPartName>(name: Name) =>
  z.object({
    name: z.literal(name),
    state: z.enum(['ok', 'failing', 'away']).meta({
      description: '`failing`: it answers, and is not well. `away`: it did not answer; `value` is the last one.',
    }),
    at: timeSchema.nullable().meta({ description: 'Of `value`; null: there never was one.' }),
    reason: z.string().nullable().meta({ description: 'Why it is not `ok`, and what to do.' }),
    // Not by its method, which would be that of any of the schemas.
    value: z.nullable(VALUES[name]),
  });

export const overviewPartSchema = z.discriminatedUnion('name', [
  partOf('outboxDatabase'),
  partOf('auditDatabase'),
  partOf('backlog'),
  partOf('rate'),
  partOf('runs'),
  partOf('letters'),
  partOf('destinations'),
  partOf('alerts'),
  partOf('books'),
  partOf('processes'),
  partOf('seal'),
  partOf('verification'),
]);
export type OverviewPart = z.infer<typeof overviewPartSchema>;

export const overviewSchema = z.object({ at: timeSchema, parts: z.array(overviewPartSchema) });

export const FIGURE_WINDOWS = { '15m': 15, '1h': 60, '24h': 1_440 } as const;
export type FigureWindow = keyof typeof FIGURE_WINDOWS;

export const figuresQuerySchema = z.strictObject({
  window: z.enum(Object.keys(FIGURE_WINDOWS) as [FigureWindow, ...FigureWindow[]]).default('15m'),
});

const figure = {
  delivered: z.int(),
  died: z.int(),
  successRate: z.number().nullable().meta({ description: 'Of what was delivered or died; null: nothing was.' }),
  ...latency,
  sampled: z.boolean().meta({ description: 'Percentiles of a part of the deliveries.' }),
};
const namedFigureSchema = z.object({
  name: z.string().nullable().meta({
    description: 'null: what was not among the first names of its minute, and names beyond the first 100 here.',
  }),
  ...figure,
});

/** Settled in the window. Minutes that nobody counted are told as such, and are in no sum. */
export const figuresSchema = z
  .object({
    window: z.enum(['15m', '1h', '24h']),
    since: timeSchema,
    until: timeSchema,
    missingMinutes: z.int().meta({ description: 'Minutes of the window that were not counted.' }),
    total: z.object(figure),
    byDestination: z.array(namedFigureSchema),
    byEventType: z.array(namedFigureSchema),
    byTenant: z.array(namedFigureSchema),
    series: z.array(
      z.object({
        at: timeSchema,
        minutes: z.int(),
        /** null: not counted. */
        delivered: z.int().nullable(),
        died: z.int().nullable(),
        p95Ms: z.number().nullable(),
      }),
    ),
  })
  .meta({ description: `Minutes that are over. ${PERCENTILES} 86400000 stands for 13 hours and more.` });
export type Figures = z.infer<typeof figuresSchema>;
