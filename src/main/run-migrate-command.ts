import { loadSettings } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { runMigrate } from './migrate.js';

/** `outbox migrate deploy | status`. */
export async function runMigrateCommand(
  command: 'deploy' | 'status',
  options: { deployment?: string; json: boolean },
): Promise<number> {
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['migrate']);
  const { exitCode, text } = await runMigrate({
    command,
    outboxUrl: settings.databaseUrl,
    auditUrl: settings.auditDatabaseUrl,
    // Without a name in either place the stored one stays.
    deployment: options.deployment ?? environment.OUTBOX_DEPLOYMENT,
    json: options.json,
    ...(options.json ? {} : { log: (line: string) => process.stdout.write(`${line}\n`) }),
  });
  process.stdout.write(`${text}\n`);
  return exitCode;
}
