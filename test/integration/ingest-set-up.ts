import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import type { Pool } from 'pg';
import {
  type CreateApiKeyRequest,
  type CreatedApiKey,
  createApiKey,
} from '../../src/application/audit/create-api-key.js';
import type { FingerprintKeys } from '../../src/application/audit/fingerprint.js';
import { createIngestRules } from '../../src/application/audit/ingest-rules.js';
import type { AuditStore, FailedIngestStore } from '../../src/application/audit/ports.js';
import type { RecordReader } from '../../src/application/audit/reading/ports.js';
import type { SentEvent } from '../../src/application/audit/record-audit-log.js';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import type { IngestConfig } from '../../src/contract/ingest-config.js';
import type { ApiKeyScope } from '../../src/domain/audit/api-key.js';
import type { HttpLimits } from '../../src/http/http-limits.js';
import { describeApi } from '../../src/http/openapi/operations.js';
import { type ApiOptions, startApi } from '../../src/http/start-api.js';
import { createAuditApiKeys } from '../../src/infrastructure/prisma/audit-api-keys.js';
import { createAuditStore } from '../../src/infrastructure/prisma/audit-store.js';
import { createFailedIngestStore } from '../../src/infrastructure/prisma/failed-ingest-store.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRecordReader } from '../../src/infrastructure/prisma/record-reader.js';
import { openLogMonitor } from '../../src/main/open-log-monitor.js';
import { openProofs } from '../../src/main/open-proofs.js';
import { askAgain } from '../support/ask-again.js';
import { createAnswerCheck } from '../support/check-answer.js';
import { createTestDatabases } from '../support/databases.js';

export const FINGERPRINT_KEYS: FingerprintKeys = [{ id: 'k1', secret: 'first-secret-of-the-test' }];

export const SECRET_KEY = new Uint8Array(32).fill(7);

export interface LogLine {
  readonly level: string;
  readonly fields: Record<string, unknown>;
}

export interface TestIngest {
  readonly url: string;
  readonly port: number;
  readonly pool: Pool;
  readonly auditUrl: string;
  readonly store: AuditStore;
  readonly failedIngest: FailedIngestStore;
  readonly logs: LogLine[];
  key(scopes: readonly [ApiKeyScope, ...ApiKeyScope[]], tenantId?: string | null, expiresAt?: Date): Promise<string>;
  createKey(request: Partial<CreateApiKeyRequest>): Promise<CreatedApiKey>;
  post(body: unknown, options?: PostOptions): Promise<Answer>;
  counts(): Promise<{ records: number; keys: number }>;
  /** Closes the HTTP side only. */
  closeApi(): Promise<void>;
  stop(): Promise<void>;
}

export interface PostOptions {
  /** Default: a key with audit:write and no tenant. null: no credentials. */
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
  readonly path?: string;
  readonly method?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever came back, looked at by the test
  readonly body: any;
}

export interface IngestOptions {
  readonly limits?: Partial<HttpLimits>;
  readonly fingerprintKeys?: FingerprintKeys;
  /** Opens signing secrets. Default: SECRET_KEY. */
  readonly secretKey?: Uint8Array | null;
  /** Default null: no limit. */
  readonly ratePerMinute?: number | null;
  /** Default: any free one. */
  readonly port?: number;
  /** As in `defineConfig`. */
  readonly ingest?: IngestConfig;
  /** Default: the real one. */
  readonly records?: (pool: Pool) => RecordReader;
  /** The delivery's operations API. */
  readonly ops?: ApiOptions['ops'];
  /** The page, and who signs in to it: on the pool of the audit database, in which sessions stand. */
  readonly monitor?: (pool: Pool) => NonNullable<ApiOptions['monitor']>;
}

/** The api role on a database of its own: real HTTP, real PostgreSQL. Every answer is held against the OpenAPI document. */
export async function startIngest(options: IngestOptions = {}): Promise<TestIngest> {
  const databases = await createTestDatabases();
  const ingest = await startIngestOn(databases.auditUrl, options).catch(async (error: unknown) => {
    await databases.drop();
    throw error;
  });
  return {
    ...ingest,
    stop: async () => {
      await ingest.stop();
      await databases.drop();
    },
  };
}

export async function startIngestOn(auditUrl: string, options: IngestOptions = {}): Promise<TestIngest> {
  const pool = createPool(auditUrl, { max: 60 });
  const store = asPatient(createAuditStore(pool));
  const keys = createAuditApiKeys(pool);
  const apiKeys = { ...keys, findByPrefix: askAgain(keys.findByPrefix) };
  const failedIngest = createFailedIngestStore(pool);
  const logs: LogLine[] = [];
  const log = (level: string) => (fields: object) => logs.push({ level, fields: fields as Record<string, unknown> });
  const api = await startApi({
    store,
    apiKeys,
    failedIngest,
    records: (options.records ?? createRecordReader)(pool),
    fingerprintKeys: options.fingerprintKeys ?? FINGERPRINT_KEYS,
    secretKey: options.secretKey === undefined ? SECRET_KEY : options.secretKey,
    ratePerMinute: options.ratePerMinute ?? null,
    proofs: openProofs(pool),
    logMonitor: openLogMonitor(pool, { auditCheckpointMs: 10_000, auditVerifyHours: 24 }),
    port: options.port ?? 0,
    host: '127.0.0.1',
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    limits: options.limits ?? {},
    rules: createIngestRules(options.ingest),
    ...(options.ops === undefined ? {} : { ops: options.ops }),
    ...(options.monitor === undefined ? {} : { monitor: options.monitor(pool) }),
  }).catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });
  let closing: Promise<void> | null = null;
  const closeApi = () => {
    closing ??= api.close();
    return closing;
  };
  const url = `http://127.0.0.1:${api.port}`;
  const checkAnswer = createAnswerCheck(
    describeApi({ ops: options.ops !== undefined, monitor: options.monitor !== undefined }),
  );
  const createKey: TestIngest['createKey'] = (request) =>
    createApiKey({ keys: apiKeys })({ name: 'test', scopes: ['audit:write'], ...request });
  const key: TestIngest['key'] = async (scopes, tenantId = null, expiresAt) =>
    (await createKey({ scopes, tenantId, expiresAt: expiresAt ?? null })).secret;
  const defaultKey = await key(['audit:write', 'audit:read']);
  return {
    url,
    port: api.port,
    pool,
    auditUrl,
    store,
    failedIngest,
    logs,
    key,
    createKey,
    post: async (body, { key = defaultKey, headers = {}, path = AUDIT_LOGS_PATH, method = 'POST' } = {}) => {
      const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
      const sending = new Headers({ 'Content-Type': 'application/json' });
      if (key !== null) sending.set('Authorization', `Bearer ${key}`);
      for (const [name, value] of Object.entries(headers)) sending.set(name, value);
      const response = await fetch(`${url}${path}`, {
        method,
        headers: sending,
        ...(method === 'GET' || method === 'HEAD' ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
        ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      } as RequestInit);
      const text = await response.text();
      checkAnswer({ method, path, status: response.status, headers: response.headers, text });
      const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '');
      const read = text !== '' && isJson ? JSON.parse(text) : text;
      return { status: response.status, headers: response.headers, body: read === '' ? null : read };
    },
    counts: async () => {
      const { rows } = await pool.query(
        'SELECT (SELECT count(*)::int FROM audit.record) AS records, (SELECT count(*)::int FROM audit.record_key) AS keys',
      );
      return rows[0];
    },
    closeApi,
    stop: async () => {
      await closeApi();
      await pool.end();
    },
  };
}

/** Asks again for what stands: many requests at once on a busy machine are no reason to answer that the store is away. */
function asPatient(store: AuditStore): AuditStore {
  const { readStanding, keepKeyChecks } = store;
  return { ...store, readStanding: askAgain(readStanding), keepKeyChecks: askAgain(keepKeyChecks) };
}

/** A valid event; a fresh eventId unless one is given. */
export function event(overrides: Partial<AuditEvent> = {}): AuditEvent {
  return {
    specVersion: '1.0',
    eventId: randomUUID(),
    source: '/services/auth',
    action: 'auth.user.signed_in',
    actionVersion: 1,
    category: 'authentication',
    operation: 'login',
    outcome: 'success',
    occurredAt: '2026-01-02T03:04:05.678Z',
    actor: { type: 'user', id: 'u-1' },
    targets: [{ type: 'session', id: 's-1' }],
    ...overrides,
  };
}

/** As the routes hand an event of our own format to the use case. */
export function sent(one: AuditEvent): SentEvent {
  return { event: one, content: one };
}

/** Sends bytes as they are and returns the first answer's status line, headers and what came of its body with them. */
export function sendRaw(port: number, ...parts: (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.endsWith('}')) socket.destroy(); // every answer here is a JSON object
    });
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
    socket.on('close', () => resolve(answer));
    for (const part of parts) socket.write(part);
  });
}

/** What every refusal looks like, whatever was sent. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body?.code }).toEqual({ status, code });
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.body).toMatchObject({ type: 'about:blank', status, requestId: answer.headers.get('x-request-id') });
  expect(typeof answer.body.retryable).toBe('boolean');
  expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|\.(ts|js):\d|\bat [A-Za-z]+ \(/);
}
