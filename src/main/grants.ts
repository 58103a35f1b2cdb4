/** `outbox grants`: the rights of each part's role of PostgreSQL, to look at or to apply, by the owner's URLs. */
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { applyGrants, type GrantedRoles, type GrantPlan, planGrants } from '../infrastructure/prisma/grants.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { RIGHT_HOLDERS } from '../infrastructure/prisma/rights.js';
import { explainingDatabase } from './explain-database.js';
import { complain, note } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface GrantsOptions extends GrantedRoles {
  readonly print?: boolean;
  readonly apply?: boolean;
  readonly database: 'outbox' | 'audit' | 'both';
  readonly json?: boolean;
}

interface Database {
  readonly target: 'outbox' | 'audit';
  readonly pool: PgPool;
}

interface Planned extends Database {
  readonly plan: GrantPlan;
}

export async function runGrants(options: GrantsOptions): Promise<number> {
  const { print = false, apply = false, json = false } = options;
  const refuse = (message: string) => new UsageError(message, { command: 'outbox grants' });
  if (print === apply) throw refuse('expected one of --print and --apply');
  const roles: GrantedRoles = Object.fromEntries(RIGHT_HOLDERS.map((holder) => [holder, options[holder]]));
  if (RIGHT_HOLDERS.every((holder) => roles[holder] === undefined)) {
    throw refuse(`expected at least one of ${RIGHT_HOLDERS.map((holder) => `--${holder}`).join(', ')}`);
  }
  const databases = open(options.database);
  try {
    const planned: Planned[] = [];
    for (const database of databases) {
      const { target, pool } = database;
      planned.push({ ...database, plan: await explainingDatabase(target, () => planGrants(pool, target, roles)) });
    }
    const problem = problemOf(planned);
    if (problem !== null && apply) return complain(problem);
    if (problem !== null) note(`outbox: ${problem}`, { json });
    if (apply) await applyAll(planned);
    write(planned, { apply, json });
    return 0;
  } finally {
    await Promise.all(databases.map(({ pool }) => pool.end()));
  }
}

function open(which: GrantsOptions['database']): Database[] {
  const targets = which === 'both' ? (['outbox', 'audit'] as const) : ([which] as const);
  const settings = loadSettings(
    processEnvironment(),
    targets.map((target) => `grants ${target}` as const),
  );
  const urls = {
    outbox: () => requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'),
    audit: () => requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL'),
  };
  return targets.map((target) => ({ target, pool: createPool(urls[target](), { max: 1 }) }));
}

/** Before anything is applied anywhere, and all of them at once. */
function problemOf(planned: readonly Planned[]): string | null {
  const told = planned.flatMap(({ target, plan: { missing, owners } }) => [
    ...missing.map((name) => `${name} (${target}): no such role; CREATE ROLE is yours to do`),
    ...owners.map(
      (name) => `${name} (${target}): owns what is there, or may act for its owner; rights do not bound it`,
    ),
  ]);
  return told.length === 0 ? null : `nothing is applied with these roles: ${told.join('; ')}`;
}

async function applyAll(planned: readonly Planned[]): Promise<void> {
  for (const { target, pool, plan } of planned) {
    await explainingDatabase(target, () => applyGrants(pool, plan.statements));
  }
}

function write(planned: readonly Planned[], { apply, json }: { apply: boolean; json: boolean }): void {
  if (json) {
    const document = Object.fromEntries(planned.map(({ target, plan }) => [target, plan.statements]));
    process.stdout.write(`${JSON.stringify(document)}\n`);
  } else if (apply) {
    for (const { target, plan } of planned) {
      process.stdout.write(`${target}: ${plan.statements.length} statements applied\n`);
    }
  } else {
    const text = planned.map(({ target, plan }) => toScript(target, plan.statements));
    process.stdout.write(text.join('\n'));
  }
}

/** For psql, as the owner of the database's schema. */
function toScript(target: string, statements: readonly string[]): string {
  const lines = statements.length === 0 ? [] : ['BEGIN', ...statements, 'COMMIT'];
  return [`-- the ${target} database`, ...lines.map((line) => `${line};`), ''].join('\n');
}
