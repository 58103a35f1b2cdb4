/** A deployment whose api serves the monitor, with a second destination and people who may look, and who may act. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiKey } from '../../src/application/audit/create-api-key.js';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import type { ApiKeyScope } from '../../src/domain/audit/api-key.js';
import { formatSignerKey, signerKey } from '../../src/domain/audit/note-key.js';
import { createAuditApiKeys } from '../../src/infrastructure/prisma/audit-api-keys.js';
import type { TestDatabases } from './databases.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from './roles.js';
import { type ScriptedDestination, startScriptedDestination } from './scripted-destination.js';

export interface MonitoredDeployment {
  readonly deployment: TestDeployment;
  readonly partner: ScriptedDestination;
  /** API keys: one that acts and reads every record, one that only looks. */
  readonly keys: { readonly operator: string; readonly viewer: string };
  /** An api on its own, with the monitor. */
  startApi(more?: Record<string, string>): Promise<StartedApi>;
  /** Relay and worker in one process, which finds its audit log at the origin. */
  startLine(origin: string, more?: Record<string, string>): Promise<StartedProcess>;
  createKey(scopes: readonly [ApiKeyScope, ...ApiKeyScope[]], tenantId?: string): Promise<string>;
  drop(): Promise<void>;
}

export interface StartedApi extends StartedProcess {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
}

export interface MonitoredOptions {
  readonly databases?: TestDatabases;
  /** Of `defineConfig`, beside the handler of `test.partner`. */
  readonly config?: string;
  /** Of the partner; default: any free one. */
  readonly partnerPort?: number;
}

/** Migrated, with keys and the partner; no role runs yet. */
export async function createMonitoredDeployment(options: MonitoredOptions = {}): Promise<MonitoredDeployment> {
  const deployment = await createTestDeployment(options.databases);
  const partner = await startScriptedDestination(options.partnerPort);
  // So long that no stall of the machine makes two attempts of one. Its first attempts are regular ones.
  const handler = `httpHandler({ routingKey: 'test.partner', url: '${partner.url}', timeoutMs: 60_000 })`;
  const args = ['--config', await deployment.configFile(handler, options.config)];
  const folder = await mkdtemp(join(tmpdir(), 'outbox-monitored-'));
  const create = createApiKey({ keys: createAuditApiKeys(deployment.audit) });
  const createKey: MonitoredDeployment['createKey'] = async (scopes, tenantId) =>
    (await create({ name: scopes.join(' '), scopes, tenantId: tenantId ?? null })).secret;
  const keys = {
    operator: await createKey(['dlq:write', 'audit:read:any-tenant']),
    viewer: await createKey(['dlq:read', 'audit:read:any-tenant']),
  };
  const forApi = { OUTBOX_OPS: 'on', OUTBOX_TEMPORAL_UI_URL: 'http://temporal.test:8233' };
  const forLine = {
    AUDIT_SIGNING_KEYS: formatSignerKey(signerKey(NOTE_TOOLS, 'log.test/monitor', randomBytes(32))),
    AUDIT_ANCHOR_FILE: join(folder, 'anchor.ndjson'),
    AUDIT_CHECKPOINT_MS: '200',
    AUDIT_VERIFY_HOURS: '0',
    OUTBOX_POLL_IDLE_MS: '100',
  };
  return {
    deployment,
    partner,
    keys,
    createKey,
    async startApi(more = {}) {
      const api = await deployment.start('api', { ...forApi, ...more }, args);
      return { ...api, origin: `http://127.0.0.1:${api.apiPort}` };
    },
    startLine: (origin, more = {}) =>
      deployment.start('relay,worker', { ...forLine, OUTBOX_AUDIT_URL: origin, ...more }, args),
    async drop() {
      await partner.close();
      await rm(folder, { recursive: true, force: true });
      await deployment.drop();
    },
  };
}

/** Those that were started, in the order in which work flows. */
export async function stopAll(...processes: readonly (StartedProcess | undefined)[]): Promise<void> {
  for (const process of processes) if (process !== undefined) await stop(process);
}
