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
import type { OrderingStore } from '../application/delivery/ordering/ports.js';
import { createAuditApp } from './create-audit-app.js';
import { createHttpServer } from './create-http-server.js';
import type { DeadLetterOps } from './dead-letter-routes.js';
import { createFailedKeys } from './failed-keys.js';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './http-limits.js';
import { createInFlight } from './in-flight.js';
import { createKeyLimits } from './key-limits.js';
import type { Logger } from './logger.js';
import type { Gate } from './require-key.js';

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
  /** What the delivery's operations API works on; left out: there is none. */
  readonly ops?: {
    readonly destinations: DestinationStore;
    readonly deadLetters: DeadLetterOps;
    readonly ordering: OrderingStore;
    readonly books: Pick<BookReader, 'list' | 'lookAgain'>;
  };
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  readonly logger: Logger;
  /** Overrides of DEFAULT_HTTP_LIMITS. */
  readonly limits?: Partial<HttpLimits>;
}

export interface RunningApi {
  readonly port: number;
  /** Stops accepting and lets running requests finish within `closeGraceMs`. The store's pool stays open. */
  close(): Promise<void>;
}

const PARTITIONS_EVERY_MS = 24 * 60 * 60_000;

/**
 * The `api` role: the audit log's HTTP surface on a port of its own. Makes missing partitions before it accepts and daily
 * after. Starts without its database too: then it is live, not ready, and answers 503.
 */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { store, apiKeys: keys, failedIngest, records, fingerprintKeys, rules = createIngestRules(), logger } = options;
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const gate: Gate = {
    authenticate: authenticateApiKey({
      keys,
      secretKey: options.secretKey,
      noteUse: noteLastUse({ keys, log: logger }),
    }),
    keyLimits: createKeyLimits({ perMinute: options.ratePerMinute }),
    failedKeys: createFailedKeys({ perMinute: limits.maxFailedKeysPerMinute }),
    inFlight: createInFlight(limits),
  };
  const app = createAuditApp({
    ...(options.ops === undefined ? {} : { ops: { ...options.ops, gate, log: logger } }),
    routes: {
      gate,
      recordAuditLog: recordAuditLog({ store, failedIngest, fingerprintKeys, rules, log: logger }),
      lookupIdentities: lookupIdentities({ store, fingerprintKeys }),
      records,
      cursors: recordCursors(fingerprintKeys),
      proofs: options.proofs,
      failedIngest,
      retryFailedIngest: retryFailedIngest({ store, failedIngest, fingerprintKeys, rules, log: logger }),
      discardFailedIngest: discardFailedIngest({ store, failedIngest, fingerprintKeys, log: logger }),
    },
    ping: () => store.ping(),
    limits,
    logger,
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
      await server.close();
    },
  };
}
