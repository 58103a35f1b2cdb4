/**
 * Every setting: its variable, what it must look like, its default, and who cannot start without it. The only table of
 * its kind: `.env.example` is made from it, and an OUTBOX_ or AUDIT_ variable that is not in it is refused.
 * Temporal's own variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, …) are read by @temporalio/envconfig.
 */
import { z } from 'zod';
import { NOTE_TOOLS } from '../../application/audit/log/note-tools.js';
import { findBaseProblem } from '../../domain/audit/checkpoint.js';
import { parseSignerKey, parseVerifierKey } from '../../domain/audit/note-key.js';
import { databaseUrl, fingerprintKeys, httpUrl, noteKeys, secretKey, whole } from './setting-values.js';

/** What is about to be run: the roles, and the commands that need settings. */
export type SettingsUser =
  | 'api'
  | 'relay'
  | 'worker'
  | 'migrate'
  | 'keys'
  | 'audit'
  | 'audit adopt'
  | 'audit erase'
  | 'audit retention'
  | 'import'
  | 'temporal adopt'
  | 'failed-ingest'
  | 'failed-ingest retry'
  | 'failed-ingest discard'
  | 'policies'
  | 'dlq'
  | 'destinations'
  | 'books'
  | 'events'
  | 'status'
  | 'doctor'
  | 'verify'
  | 'operators'
  | 'grants outbox'
  | 'grants audit';

interface Definition<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** As it would stand in the environment; undefined: no default. */
  readonly fallback?: string;
  readonly requiredBy?: readonly SettingsUser[];
  readonly describe: string;
  /** Holds a secret: never shown, not even in an error. */
  readonly secret?: true;
  /** For tests only: left out of `.env.example`. */
  readonly hidden?: true;
}

const define = <const D extends Definition>(definition: D): D => definition;

export const SETTINGS = {
  databaseUrl: define({
    schema: databaseUrl,
    requiredBy: [
      'relay',
      'worker',
      'migrate',
      'import',
      'temporal adopt',
      'policies',
      'dlq',
      'destinations',
      'books',
      'events',
      'status',
      'doctor',
      'verify',
      'grants outbox',
    ],
    describe: 'The outbox database: the one that your application writes to.',
    secret: true,
  }),
  auditDatabaseUrl: define({
    schema: databaseUrl,
    requiredBy: [
      'api',
      'migrate',
      'keys',
      'operators',
      'audit',
      'audit adopt',
      'audit erase',
      'failed-ingest',
      'verify',
      'grants audit',
    ],
    describe:
      "The audit log's database. May be the same one. A worker that has it seals the records, beside its other work.",
    secret: true,
  }),
  deployment: define({
    schema: z.string().regex(/^[a-z0-9-]{1,40}$/, 'expected 1 to 40 of a-z, 0-9 and "-"'),
    fallback: 'main',
    describe:
      'The name of this outbox, in workflow ids and the task queue. Must be the one that `outbox migrate deploy` stored.',
  }),
  logLevel: define({
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    fallback: 'info',
    describe: 'trace, debug, info, warn, error, fatal or silent. Successful deliveries are logged at debug.',
  }),
  shutdownGraceMs: define({
    schema: whole(1_000, 600_000),
    fallback: '30000',
    describe:
      'How long a role may take to stop after SIGTERM. Keep it above 20000; the attempt of a handler with a longer timeoutMs is given up and made again.',
  }),
  host: define({
    schema: z.string().min(1),
    fallback: '127.0.0.1',
    describe: 'The address that HTTP servers listen on.',
  }),
  apiPort: define({
    schema: whole(0, 65_535),
    fallback: '8080',
    describe: 'The port of the api role. 0: any free one.',
  }),
  probePort: define({
    schema: whole(0, 65_535),
    fallback: '8081',
    describe: 'The port of /live, /ready and /metrics in the relay and the worker. 0: any free one.',
  }),
  metricsPort: define({
    schema: whole(0, 65_535),
    describe:
      "A port of its own for /metrics, in every role. 0: any free one. Unset: relay and worker serve it on OUTBOX_PROBE_PORT, and an api alone does not serve it, for its own port may be everybody's. Nothing there asks for a key.",
  }),
  temporalMetrics: define({
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    describe:
      "Whether /metrics of a relay or a worker has the metrics of Temporal's SDK, too. The SDK then listens on a free port of 127.0.0.1.",
  }),
  traces: define({
    schema: z.enum(['on', 'off']),
    fallback: 'off',
    describe:
      "Whether spans are made and sent by OTLP (docs/tracing.md). on: OpenTelemetry's own variables say where to and how (OTEL_EXPORTER_OTLP_ENDPOINT, default http://localhost:4318). off: they are not read.",
  }),
  poolSize: define({
    schema: whole(2, 500),
    fallback: '20',
    describe: 'Connections to the outbox database, for each process.',
  }),
  auditPoolSize: define({
    schema: whole(2, 500),
    fallback: '10',
    describe: "Connections to the audit log's database, for each process: in an api, those that write.",
  }),
  auditReadPoolSize: define({
    schema: whole(1, 500),
    fallback: '5',
    describe:
      "Further connections of an api to the audit log's database, by which records are read, searched and exported and proofs are made: so that slow searches never keep the ingest waiting. Four times as many searches are worked on at once.",
  }),
  auditFingerprintKeys: define({
    schema: fingerprintKeys,
    requiredBy: ['api', 'failed-ingest retry', 'failed-ingest discard'],
    describe:
      'Keys of the fingerprints, shared by all apis: id:hex[,id:hex…]. The first is used for new records; keep old ones as long as their records.',
    secret: true,
  }),
  auditSecretKey: define({
    schema: secretKey,
    describe:
      'Seals the signing secrets of API keys, shared by all apis: 64 hex digits. Needed only where there are signed keys.',
    secret: true,
  }),
  auditRatePerMinute: define({
    schema: whole(0, 100_000_000),
    fallback: '60000',
    describe:
      'Events a minute that one API key may send to one api, a batch of 500 at once always. 0: no limit. A rate given to a key is its own; keys with audit:write:any-tenant have none unless they were given one.',
  }),
  auditSigningKeys: define({
    schema: noteKeys((text) => parseSignerKey(NOTE_TOOLS, text)),
    requiredBy: ['audit adopt', 'audit erase'],
    describe:
      "Keys that the worker signs the log's checkpoints with, made by `outbox audit keygen`: all of them sign, separated by commas, the current one first. Without any, records are sealed and nothing is signed.",
    secret: true,
  }),
  auditVerifierKeys: define({
    schema: noteKeys((text) => parseVerifierKey(NOTE_TOOLS, text)),
    describe: 'Public keys that signed before and do not any more, separated by commas: keep each for ever.',
  }),
  auditLogOrigin: define({
    schema: z.string().superRefine((text, context) => {
      const problem = findBaseProblem(text);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }),
    describe: 'The name of the log, in its checkpoints and keys, for ever. Default: that of the first signing key.',
  }),
  auditAnchorFile: define({
    schema: z.string().min(1),
    requiredBy: ['audit retention'],
    describe:
      'Where the worker puts every checkpoint before it is stored: a file that whoever owns the database cannot change. Without it whoever owns database and keys can rewrite the log unseen. `audit erase` puts its notes there, too, and needs it for --again.',
  }),
  auditRetentionMonths: define({
    schema: whole(1, 1_200),
    requiredBy: ['audit retention'],
    describe:
      'For how many months after its own a month of records is kept; then the worker drops it, where it is sealed and anchored. Unset: for ever.',
  }),
  auditCheckpointMs: define({
    schema: whole(100, 3_600_000),
    fallback: '10000',
    describe:
      'Between two checkpoints of a log that grows. An api tells by it whether signing has stopped: give both the same.',
  }),
  auditVerifyHours: define({
    schema: whole(0, 8_760),
    fallback: '24',
    describe:
      'How often a worker with AUDIT_DATABASE_URL verifies the whole log by itself. 0: only when somebody asks. An api tells by it whether one is overdue: give both the same.',
  }),
  auditUrl: define({
    schema: httpUrl,
    fallback: 'http://127.0.0.1:8080',
    describe: 'Where the worker finds the audit log.',
  }),
  auditApiKey: define({
    schema: z.string().min(1, 'expected a key made by `outbox keys create --scope audit:write:any-tenant`'),
    requiredBy: ['worker'],
    describe:
      "The worker's key for the audit log, with the scope audit:write:any-tenant. Where there is no audit log any text will do, and what is sent there fails. The relay asks the audit log with it, for the books and for lost answers, where it is set.",
    secret: true,
  }),
  ops: define({
    schema: z.enum(['on', 'off']),
    fallback: 'off',
    describe:
      "Whether the api also serves the delivery's operations (/ops/v1/…) and the monitor: on needs OUTBOX_DATABASE_URL there, too.",
  }),
  taskQueue: define({
    schema: z.string().min(1).max(200),
    describe: "Temporal's task queue. Default: outbox-<deployment>.",
  }),
  workerDeployment: define({
    schema: z.string().regex(/^[^.]{1,200}$/, 'expected 1 to 200 characters without a "."'),
    describe:
      "The name of the workers' deployment in Temporal. Switches Worker Versioning on: a worker gets runs once its build is made current (docs/upgrades.md). Not set: off.",
  }),
  workerBuildId: define({
    schema: z.string().regex(/^\S{1,200}$/, 'expected 1 to 200 characters without spaces'),
    describe:
      "With Worker Versioning: this build's id. Another for each build whose handlers or workflows differ. Default: the package's version and a hash of the workflows.",
  }),
  searchAttributes: define({
    schema: z.enum(['ensure', 'require', 'off']),
    fallback: 'ensure',
    describe: 'Search attributes in Temporal: ensure (made where missing), require (refuse to start without), off.',
  }),
  searchAttributePrefix: define({
    schema: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,30}$/, 'expected 1 to 31 letters and digits'),
    fallback: 'Outbox',
    describe: 'What their names begin with.',
  }),
  monitor: define({
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    describe: 'Whether an api with OUTBOX_OPS=on also serves the monitor, at /monitor.',
  }),
  monitorUrl: define({
    // What stands behind the last slash would be lost from links.
    schema: httpUrl.transform((url) => (url.endsWith('/') ? url : `${url}/`)),
    describe:
      "Where people open the monitor: https://outbox.example/monitor. For links to it, and so that the api knows its own page's requests; unset, whatever address the browser used.",
  }),
  monitorSignIn: define({
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    describe:
      'off: whoever reaches the monitor sees everything and changes nothing. Only where OUTBOX_HOST is loopback.',
  }),
  monitorSessionHours: define({
    schema: whole(1, 720),
    fallback: '12',
    describe: 'How long somebody who signed in to the monitor stays so.',
  }),
  temporalUiUrl: define({
    schema: httpUrl,
    describe: "Of Temporal's Web UI, for links to it from notices, the monitor and `outbox events show`.",
  }),
  leaseMs: define({
    schema: whole(5_000, 600_000),
    fallback: '30000',
    describe:
      'How long a relay may hold a claim before another takes it over; half of it for duties such as the reconciler.',
  }),
  batch: define({ schema: whole(1, 1_000), fallback: '200', describe: 'Events a relay claims at once.' }),
  startsAtOnce: define({
    schema: whole(1, 500),
    fallback: '50',
    describe: 'Workflow starts under way at once, for each relay.',
  }),
  startTimeoutMs: define({ schema: whole(500, 30_000), fallback: '5000', describe: 'Deadline of one workflow start.' }),
  maxRuns: define({
    schema: whole(1, 100_000),
    fallback: '500',
    describe: 'Runs at once for a destination that names no cap of its own.',
  }),
  pollFloorMs: define({
    schema: whole(5, 60_000),
    fallback: '25',
    describe: 'Between two polls while events come in.',
  }),
  pollIdleMs: define({ schema: whole(50, 60_000), fallback: '1000', describe: 'Between two polls when idle.' }),
  localPlaces: define({
    schema: whole(1, 90),
    fallback: '32',
    describe: 'First attempts at once, for a destination and worker.',
  }),
  regularPlaces: define({
    schema: whole(1, 180),
    fallback: '64',
    describe: 'Later attempts at once, for a destination and worker.',
  }),
  breakerOpenMs: define({
    schema: whole(100, 600_000),
    fallback: '30000',
    describe:
      'How long a destination that failed ten times in a row is left alone before it is tried; twice as long after each try that fails, up to 5 minutes.',
  }),
  noticeWindowMs: define({
    schema: whole(0, 3_600_000),
    fallback: '60000',
    describe: 'How long dead letters of one event type and code are gathered into one notice.',
  }),
  lagLimitSeconds: define({
    schema: whole(0, 31_536_000),
    fallback: '300',
    describe: 'An alert is raised when the oldest due event has waited longer. 0: none.',
  }),
  backlogLimit: define({
    schema: whole(0, 999_999),
    fallback: '10000',
    describe: 'An alert is raised when more events are due than this. 0: none.',
  }),
  retentionDays: define({
    schema: whole(0, 3_650),
    fallback: '30',
    describe:
      'For how many days a settled event is kept; then a relay removes it with its attempts and closed letters, not before the books of its hour balance. What is open, dead or unbalanced stays. 0: nothing is removed.',
  }),
  testFailpoint: define({
    schema: z.string().min(1),
    describe: 'Tests: the process kills itself at this point.',
    hidden: true,
  }),
} as const satisfies Record<string, Definition>;

type Key = keyof typeof SETTINGS;
type Value<K extends Key> = z.output<(typeof SETTINGS)[K]['schema']>;
type Optional<K extends Key> = (typeof SETTINGS)[K] extends { fallback: string } ? Value<K> : Value<K> | undefined;

/** The checked settings. Those without a default are undefined unless the user needs them (see `requireSetting`). */
export type Settings = { readonly [K in Key]: Optional<K> };

/** `databaseUrl` → OUTBOX_DATABASE_URL, `auditDatabaseUrl` → AUDIT_DATABASE_URL. */
export function variableOf(key: Key): string {
  const snake = key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return AUDIT_SIDE.has(key) ? snake : `OUTBOX_${snake}`;
}

const AUDIT_SIDE: ReadonlySet<Key> = new Set<Key>([
  'auditDatabaseUrl',
  'auditPoolSize',
  'auditReadPoolSize',
  'auditFingerprintKeys',
  'auditSecretKey',
  'auditRatePerMinute',
  'auditSigningKeys',
  'auditVerifierKeys',
  'auditLogOrigin',
  'auditAnchorFile',
  'auditRetentionMonths',
  'auditCheckpointMs',
  'auditVerifyHours',
]);

export function definitionOf(key: Key): Definition {
  return SETTINGS[key];
}

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly Key[];
