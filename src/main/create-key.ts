import { createApiKey } from '../application/audit/create-api-key.js';
import { ANY_TENANT_SCOPES, type ApiKeyScope } from '../domain/audit/api-key.js';
import { EVENT_LIMITS } from '../domain/delivery/outbox-event.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createAuditApiKeys } from '../infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { parseWhen } from './parse-when.js';
import { UsageError } from './usage-error.js';

export interface CreateKeyOptions {
  readonly name: string;
  readonly scope: readonly ApiKeyScope[];
  readonly tenant?: string;
  readonly expires?: string;
  readonly ratePerMinute?: number;
  readonly signed?: boolean;
  readonly json?: boolean;
}

const COMMAND = 'outbox keys create';

/** `outbox keys create`: prints the key, once; below it the signing secret, where there is one. */
export async function runCreateKey(options: CreateKeyOptions): Promise<number> {
  const asked = check(options);
  const settings = loadSettings(processEnvironment(), ['keys']);
  const signedUnder = options.signed ? requireSetting(settings.auditSecretKey, 'AUDIT_SECRET_KEY') : null;
  const pool = createPool(requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'), { max: 1 });
  try {
    const create = createApiKey({ keys: createAuditApiKeys(pool) });
    const created = await explainingDatabase('audit', () => create({ ...asked, signedUnder }));
    const { key, secret, signingSecret } = created;
    const { id, prefix, scopes, tenantId, ratePerMinute } = key;
    const signing = signingSecret === null ? {} : { signingSecret };
    const document = { id, prefix, scopes, tenantId, expiresAt: asked.expiresAt, ratePerMinute, secret, ...signing };
    const lines = signingSecret === null ? secret : `${secret}\n${signingSecret}`;
    process.stdout.write(`${options.json ? JSON.stringify(document) : lines}\n`);
    if (!options.json)
      process.stderr.write(`Keep it now: it is ${keptAs(signingSecret)} and never shown again (id ${id}).\n`);
    return 0;
  } finally {
    await pool.end();
  }
}

function keptAs(signingSecret: string | null): string {
  return signingSecret === null ? 'stored as a hash' : 'stored as a hash, its signing secret sealed,';
}

const NAME_LENGTH = 200;

function check({ name, scope, tenant, expires, ratePerMinute }: CreateKeyOptions) {
  const refuse = (message: string) => new UsageError(message, { command: COMMAND });
  const [first, ...more] = new Set(scope);
  if (first === undefined) throw refuse('--scope: expected at least one');
  if (!isPlain(name, NAME_LENGTH)) {
    throw refuse(`--name: expected 1 to ${NAME_LENGTH} characters, none of them a control character`);
  }
  if (tenant !== undefined && !isPlain(tenant, EVENT_LIMITS.tenantId)) {
    throw refuse(`--tenant: expected 1 to ${EVENT_LIMITS.tenantId} characters, none of them a control character`);
  }
  const unbound = ANY_TENANT_SCOPES.find((one) => scope.includes(one));
  if (tenant !== undefined && unbound !== undefined) {
    throw refuse(`--tenant: a key with the scope ${unbound} cannot be bound to one tenant`);
  }
  const when = { option: '--expires', command: COMMAND, now: new Date() };
  const expiresAt = expires === undefined ? null : parseWhen(expires, when);
  return {
    name,
    scopes: [first, ...more] as const,
    tenantId: tenant ?? null,
    expiresAt,
    ratePerMinute: ratePerMinute ?? null,
  };
}

function isPlain(text: string, longest: number): boolean {
  return text.trim() !== '' && text.length <= longest && !/\p{Cc}/u.test(text);
}
