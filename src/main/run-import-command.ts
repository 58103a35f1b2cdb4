import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { runImport } from './import.js';

/** `outbox import FILE [--mapping NAME]`. */
export async function runImportCommand(
  file: string,
  options: { mapping?: string; tenant?: string; json?: boolean },
): Promise<number> {
  const environment = processEnvironment();
  const settings = loadSettings(environment, ['import']);
  return runImport({
    file,
    mapping: options.mapping,
    tenant: options.tenant,
    json: options.json,
    outboxUrl: requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'),
    // An empty variable is an unset one; the default is not what somebody said.
    deployment: environment.OUTBOX_DEPLOYMENT || undefined,
    isTTY: process.stdout.isTTY === true,
    out: process.stdout,
    err: process.stderr,
  });
}
