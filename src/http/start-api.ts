import { authenticateApiKey } from '../application/audit/authenticate-api-key.js';
import { discardFailedIngest } from '../application/audit/discard-failed-ingest.js';
import type { FingerprintKeys } from '../application/audit/fingerprint.js';
import { createIngestRules, type IngestRules } from '../application/audit/ingest-rules.js';
import type { ReadProofs } from '../application/audit/log/read-proofs.js';
import { lookupIdentities } from '../application/audit/lookup-identities.js';
import { noteLastUse } from '../application/audit/note-last-use.js';
import type { ApiKeyStore, AuditStore, FailedIngestStore } from '../application/audit/ports.js';
import type { RecordReader } from '../application/audit/reading/ports.js';
import { recordCursors } from '../application/audit/reading/record-cursor.js';
import { recordAuditLog } from '../application/audit/record-audit-log.js';
import { retryFailedIngest } from '../application/audit/retry-failed-ingest.js';
import type { BookReader } from '../application/delivery/books/ports.js';
import type { DestinationStore } from '../application/delivery/destinations/ports.js';
import type { ReadFigures } from '../application/delivery/monitor/read-figures.js';
import type { DeliveryReaders } from '../application/delivery/monitor/read-overview.js';
import type { OrderingStore } from '../application/delivery/ordering/ports.js';
import type { Metrics } from '../application/metrics/metrics.js';
import type { Tracing } from '../application/tracing.js';
import { createAuditApp } from './create-audit-app.js';
import { createHttpServer } from './create-http-server.js';
import type { DeadLetterOps } from './dead-letter-routes.js';
import type { EventOps } from './event-routes.js';
import { createFailedKeys } from './failed-keys.js';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './http-limits.js';
import { createInFlight } from './in-flight.js';
import { createKeyLimits } from './key-limits.js';
import type { Logger } from './logger.js';
import { type MonitorOptions, openMonitor } from './open-monitor.js';
import { createPlaces, type Places } from './places.js';
import type { PolicyOps } from './policy-routes.js';
import type { Gate } from './require-key.js';
import type { LogMonitor } from './verification-routes.js';

export interface ApiOptions {
  readonly store: AuditStore;
  readonly apiKeys: ApiKeyStore;
  readonly failedIngest: FailedIngestStore;
  readonly records: RecordReader;
  readonly fingerprintKeys: FingerprintKeys;
  /** Opens the signing secrets (32 bytes); null: keys that need signatures are answered 503. */
  readonly secretKey: Uint8Array | null;
  /** Events a minute of a key without a rate of its own; null: no limit. */
  readonly ratePerMinute: number | null;
  /** What a configuration adds to the DTO's own. Default: secrets are taken out by their built-in names. */
  readonly rules?: IngestRules;
  readonly proofs: ReadProofs;
  /** What is asked of the log as a log, and of its verifications. */
  readonly logMonitor: LogMonitor;
  /** What the delivery's operations API works on; left out: there is none. */
  readonly ops?: {
    readonly destinations: DestinationStore;
    readonly deadLetters: DeadLetterOps;
    readonly ordering: OrderingStore;
    readonly books: Pick<BookReader, 'list' | 'lookAgain'>;
    readonly overview: DeliveryReaders;
    readonly figures: ReadFigures;
    readonly events: EventOps;
    readonly policies: PolicyOps;
  };
  /** Left out: no page is served, and nobody signs in. */
  readonly monitor?: MonitorOptions;
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  readonly logger: Logger;
  /** Left out: off. */
  readonly tracing?: Tracing | undefined;
  readonly metrics?: Metrics;
  /** Overrides of DEFAULT_HTTP_LIMITS. */
  readonly limits?: Partial<HttpLimits>;
}

export interface RunningApi {
  readonly port: number;
  /**
   * Ends the monitor's streams, stops accepting and lets running requests finish within `closeGraceMs`. The store's pool
   * stays open.
   */
  close(): Promise<void>;
}

function placesOf({ maxOpsSearches: total, maxOpsSearchesPerKey: perKey }: HttpLimits): Places {
  return createPlaces({ what: 'searches', total, perKey, retryAfterSeconds: 1 });
}

const PARTITIONS_EVERY_MS = 24 * 60 * 60_000;

/**
 * The `api` role: the audit log's HTTP surface on a port of its own. Makes missing partitions before it accepts and daily
 * after. Starts without its database too: then it is live, not ready, and answers 503.
 */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { store, apiKeys: keys, failedIngest, records, fingerprintKeys, rules = createIngestRules(), logger } = options;
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const noteUse = noteLastUse({ keys, log: logger });
  const failedKeys = createFailedKeys({ perMinute: limits.maxFailedKeysPerMinute });
  const monitor =
    options.monitor === undefined
      ? null
      : openMonitor(options.monitor, { apiKeys: keys, fingerprintKeys, noteUse, log: logger, ...limits });
  const gate: Gate = {
    authenticate: authenticateApiKey({ keys, secretKey: options.secretKey, noteUse }),
    keyLimits: createKeyLimits({ perMinute: options.ratePerMinute }),
    failedKeys,
    inFlight: createInFlight(limits),
    ...(monitor === null ? {} : { sessions: monitor.gate }),
  };
  const app = createAuditApp({
    ...(options.ops === undefined ? {} : { ops: { ...options.ops, gate, searches: placesOf(limits), log: logger } }),
    ...(monitor === null ? {} : { monitor }),
    routes: {
      gate,
      recordAuditLog: recordAuditLog({ store, failedIngest, fingerprintKeys, rules, log: logger }),
      lookupIdentities: lookupIdentities({ store, fingerprintKeys }),
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
      records,
      cursors: recordCursors(fingerprintKeys),
      proofs: options.proofs,
      logMonitor: options.logMonitor,
      failedIngest,
      retryFailedIngest: retryFailedIngest({ store, failedIngest, fingerprintKeys, rules, log: logger }),
      discardFailedIngest: discardFailedIngest({ store, failedIngest, fingerprintKeys, log: logger }),
    },
    ping: () => store.ping(),
    limits,
    logger,
    tracing: options.tracing,
  });
  const ensurePartitions = () =>
    store.ensurePartitions().catch((err: unknown) => {
      logger.error({ event: 'partitions.failed', err }, 'could not make the partitions of the months ahead');
    });
  await ensurePartitions();
  const server = createHttpServer(app, limits, logger);
  const port = await server.listen(options.port, options.host);
  const daily = setInterval(ensurePartitions, PARTITIONS_EVERY_MS);
  logger.info({ event: 'api.listening', host: options.host, port }, 'the audit log accepts requests');
  return {
    port,
    close: async () => {
      clearInterval(daily);
      // They have no end of their own that a closing server could wait for.
      monitor?.stream.close();
      await server.close();
    },
  };
}
