import { createApiKey } from '../application/audit/create-api-key.js';
import type { ApiKeyScope } from '../domain/audit/api-key.js';
import { EVENT_LIMITS } from '../domain/delivery/outbox-event.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createAuditApiKeys } from '../infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { UsageError } from './usage-error.js';

export interface CreateKeyOptions {
  readonly name: string;
  readonly scope: readonly ApiKeyScope[];
  readonly tenant?: string;
  readonly json?: boolean;
}

/** `outbox keys create`: prints the key, once. */
export async function runCreateKey(options: CreateKeyOptions): Promise<number> {
  const { name, scopes, tenantId } = check(options);
  const settings = loadSettings(processEnvironment(), ['keys']);
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    const create = createApiKey({ keys: createAuditApiKeys(pool) });
    const { key, secret } = await explainingDatabase('audit', () => create({ name, scopes, tenantId }));
    const { id, prefix } = key;
    process.stdout.write(
      options.json ? `${JSON.stringify({ id, prefix, scopes, tenantId, secret })}\n` : `${secret}\n`,
    );
    if (!options.json) process.stderr.write(`Keep it now: it is stored as a hash and never shown again (id ${id}).\n`);
    return 0;
  } finally {
    await pool.end();
  }
}

const NAME_LENGTH = 200;

function check({ name, scope, tenant }: CreateKeyOptions) {
  const refuse = (message: string) => new UsageError(message, { command: 'outbox keys create' });
  const [first, ...more] = new Set(scope);
  if (first === undefined) throw refuse('--scope: expected at least one');
  if (!isPlain(name, NAME_LENGTH)) {
    throw refuse(`--name: expected 1 to ${NAME_LENGTH} characters, none of them a control character`);
  }
  if (tenant !== undefined && !isPlain(tenant, EVENT_LIMITS.tenantId)) {
    throw refuse(`--tenant: expected 1 to ${EVENT_LIMITS.tenantId} characters, none of them a control character`);
  }
  if (tenant !== undefined && scope.includes('audit:write:any-tenant')) {
    throw refuse('--tenant: a key with the scope audit:write:any-tenant cannot be bound to one tenant');
  }
  return { name, scopes: [first, ...more] as const, tenantId: tenant ?? null };
}

function isPlain(text: string, longest: number): boolean {
  return text.trim() !== '' && text.length <= longest && !/\p{Cc}/u.test(text);
}
