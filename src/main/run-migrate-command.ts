import { ConfigurationError, loadSettings } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { definitionOf } from '../infrastructure/config/settings.js';
import { runMigrate } from './migrate.js';
import { UsageError } from './usage-error.js';

/** `outbox migrate deploy | status`. The result goes to standard output, what happens meanwhile to standard error. */
export async function runMigrateCommand(
  command: 'deploy' | 'status',
  options: { deployment?: string; wait?: boolean; json?: boolean },
): Promise<number> {
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['migrate']);
  const { json = false } = options;
  const { exitCode, text } = await runMigrate({
    command,
    outboxUrl: settings.databaseUrl,
    auditUrl: settings.auditDatabaseUrl,
    deployment: nameOf(options.deployment, environment.OUTBOX_DEPLOYMENT),
    json,
    wait: options.wait,
    log: (line) => process.stderr.write(json ? `${JSON.stringify({ note: line })}\n` : `${line}\n`),
  });
  process.stdout.write(`${text}\n`);
  return exitCode;
}

/** The name stays for ever, so of two that differ neither wins. Without one the stored name stays. */
function nameOf(option: string | undefined, variable: string | undefined): string | undefined {
  if (option === undefined) return variable === '' ? undefined : variable;
  const parsed = definitionOf('deployment').schema.safeParse(option);
  if (!parsed.success) {
    throw new UsageError(`--deployment: ${parsed.error.issues[0]?.message}, got ${JSON.stringify(option)}`, {
      command: 'outbox migrate deploy',
    });
  }
  if (variable !== undefined && variable !== '' && variable !== option) {
    throw new ConfigurationError([
      `--deployment says "${option}", OUTBOX_DEPLOYMENT says "${variable}": the name stays for ever, so say the same in both, or leave one out`,
    ]);
  }
  return option;
}
