import { createApiKey } from '../application/audit/create-api-key.js';
import type { ApiKeyScope } from '../domain/audit/api-key.js';
import { ConfigurationError, loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createAuditApiKeys } from '../infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';

/** `outbox keys create`: prints the key, once. */
export async function runCreateKey(options: {
  name: string;
  scope: readonly ApiKeyScope[];
  tenant?: string;
  json: boolean;
}): Promise<number> {
  const [first, ...more] = options.scope;
  if (first === undefined) throw new ConfigurationError(['--scope: expected at least one']);
  if (options.tenant !== undefined && options.scope.includes('audit:write:any-tenant')) {
    throw new ConfigurationError([
      '--tenant: a key with the scope audit:write:any-tenant cannot be bound to one tenant',
    ]);
  }
  const settings = loadSettings(processEnvironment(), ['keys']);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    const { key, secret } = await createApiKey({ keys: createAuditApiKeys(pool) })({
      name: options.name,
      scopes: [first, ...more],
      tenantId: options.tenant ?? null,
    });
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ id: key.id, prefix: key.prefix, scopes: key.scopes, tenantId: key.tenantId, secret })}\n`
        : `${secret}\n`,
    );
    if (!options.json)
      process.stderr.write(`Keep it now: it is stored as a hash and never shown again (id ${key.id}).\n`);
    return 0;
  } finally {
    await pool.end();
  }
}
