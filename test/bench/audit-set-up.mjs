// What the benches of the audit log share: a server, a migrated database, and a writer of records with real content hashes.
import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIngestRules } from '../../dist/src/application/audit/ingest-rules.js';
import { recordAuditLog } from '../../dist/src/application/audit/record-audit-log.js';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { createAuditStore } from '../../dist/src/infrastructure/prisma/audit-store.js';
import { createFailedIngestStore } from '../../dist/src/infrastructure/prisma/failed-ingest-store.js';
import { deployMigrations } from '../../dist/src/infrastructure/prisma/migrations.js';

export async function withAuditDatabase(work) {
  const folder = await mkdtemp(join(tmpdir(), 'audit-bench-'));
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, note: () => {} });
  try {
    await server.createDatabase('bench');
    await deployMigrations({ databaseUrl: server.url('bench'), target: 'audit', log: () => {} });
    return await work(server.url('bench'));
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of all writers: a database takes no other one under the same id. */
const SECRET = randomBytes(32).toString('hex');

/** Writes through the use case that the api calls, without HTTP. */
export function writer(pool, tenantId = 'acme') {
  const record = recordAuditLog({
    store: createAuditStore(pool),
    failedIngest: createFailedIngestStore(pool),
    fingerprintKeys: [{ id: 'bench', secret: SECRET }],
    rules: createIngestRules(),
    log: { error: (fields) => console.error(fields) },
  });
  const key = {
    id: randomUUID(),
    name: 'bench',
    prefix: 'bench',
    scopes: ['audit:write'],
    tenantId,
    ratePerMinute: null,
  };
  return (count) => record({ key, now: new Date(), events: Array.from({ length: count }, sent) });
}

function sent() {
  const one = event();
  return { event: one, content: one };
}

/** About 700 bytes of JSON. */
export function event() {
  return {
    specVersion: '1.0',
    eventId: randomUUID(),
    source: '/services/orders',
    action: 'order.item.changed',
    actionVersion: 1,
    category: 'data',
    operation: 'update',
    outcome: 'success',
    occurredAt: new Date().toISOString(),
    actor: { type: 'user', id: randomUUID(), name: 'Ada Lopez' },
    targets: [{ type: 'order', id: randomUUID() }],
    changes: [{ field: '/quantity', old: 2, new: 3 }],
    context: {
      ip: '192.0.2.17',
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
      requestId: randomUUID(),
    },
    data: { note: 'x'.repeat(120), lines: [1, 2, 3].map((n) => ({ n, sku: `sku-${n}`, price: 9.99 })) },
  };
}
