/**
 * Whether `outbox dev` may run on databases that the environment names. It never touches them without `--migrate`, and sends
 * sample traffic to them only with `--sample`. What it would write of its own accord (migrations, API keys) is then either
 * allowed, or must be there already: only then it starts the roles, which write what roles write.
 */
import type { Settings } from '../../infrastructure/config/settings.js';
import { createDeploymentStore } from '../../infrastructure/prisma/deployment-store.js';
import type { PgPool } from '../../infrastructure/prisma/pg-pool.js';
import { checkDeployment } from '../check-deployment.js';
import { runMigrate } from '../migrate.js';
import { StartRefusedError } from '../start-refused-error.js';

export interface OutsideOptions {
  readonly once: boolean;
  readonly migrate: boolean;
  readonly sample: boolean;
}

/** By the settings alone, before anything is opened. Returns whether the databases are outside. */
export function checkOutsideSettings(
  { databaseUrl, auditDatabaseUrl, auditApiKey, auditFingerprintKeys }: Settings,
  temporalNamed: boolean,
  options: OutsideOptions,
): boolean {
  if (databaseUrl === undefined && auditDatabaseUrl === undefined) return false;
  if (databaseUrl === undefined || auditDatabaseUrl === undefined) {
    const named = databaseUrl === undefined ? 'AUDIT_DATABASE_URL' : 'OUTBOX_DATABASE_URL';
    throw new StartRefusedError(
      `${named} is set alone: set both database URLs, or none to use the embedded PostgreSQL`,
    );
  }
  if (options.once && !options.sample) {
    throw new StartRefusedError(
      '--once writes sample traffic: allow it on the database that the environment names with --sample',
    );
  }
  if (options.migrate) return true;
  const missing = [
    ...(auditApiKey === undefined ? ['OUTBOX_AUDIT_API_KEY (dev would write a key of its own)'] : []),
    ...(auditFingerprintKeys === undefined
      ? ["AUDIT_FINGERPRINT_KEYS (records would hang on a key of dev's own folder)"]
      : []),
    ...(temporalNamed ? [] : ["TEMPORAL_ADDRESS (events would be claimed for dev's own Temporal server)"]),
  ];
  if (missing.length === 0) return true;
  throw new StartRefusedError(
    "OUTBOX_DATABASE_URL and AUDIT_DATABASE_URL name databases that are not dev's own, and nothing was written to them. " +
      'Allow dev to migrate them, to write API keys and to deliver their events with --migrate; or give what the roles ' +
      `need, so that dev only starts them. Missing: ${missing.join(', ')}`,
  );
}

/** By what stands in the databases, reading only: without `--migrate` they must be migrated, and this deployment's. */
export async function checkOutsideDatabases(settings: Settings, outbox: PgPool): Promise<void> {
  const { exitCode, text } = await runMigrate({
    command: 'status',
    outboxUrl: settings.databaseUrl,
    auditUrl: settings.auditDatabaseUrl,
  });
  if (exitCode !== 0) {
    throw new StartRefusedError(
      `the databases that the environment names are not migrated, and nothing was written to them (${text.replaceAll('\n', '; ')}): ` +
        'run `outbox migrate deploy`, or allow it with --migrate',
    );
  }
  checkDeployment(await createDeploymentStore(outbox).readName(), settings.deployment);
}
