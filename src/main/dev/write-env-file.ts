import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TemporalTarget } from '../../infrastructure/temporal/connect-temporal.js';

const VARIABLES = [
  'OUTBOX_DATABASE_URL',
  'AUDIT_DATABASE_URL',
  'OUTBOX_DEPLOYMENT',
  'OUTBOX_AUDIT_URL',
  'OUTBOX_AUDIT_API_KEY',
  'AUDIT_FINGERPRINT_KEYS',
  'OUTBOX_TEMPORAL_UI_URL',
  'AUDIT_SIGNING_KEYS',
  'AUDIT_ANCHOR_FILE',
] as const;

/**
 * For `node --env-file`: what a command needs to run on dev's own databases. Keys stand in it, so its owner alone reads it.
 * Written anew at each start, since ports change; aside and renamed, so that a kill leaves the old file or the new one.
 */
export async function writeEnvFile(
  dataDir: string,
  environment: Readonly<Record<string, string | undefined>>,
  /** Dev's own server; null: one that the shell's environment or profile names is found there, with its credentials. */
  temporal: TemporalTarget | null,
): Promise<string> {
  const values = [
    ...VARIABLES.map((name) => [name, environment[name]] as const),
    ['TEMPORAL_ADDRESS', temporal?.address] as const,
    ['TEMPORAL_NAMESPACE', temporal?.namespace] as const,
  ];
  const lines = values.flatMap(([name, value]) => (value ? [`${name}=${quote(value)}`] : []));
  const file = join(dataDir, 'outbox.env');
  await writeFile(`${file}.new`, `# Written by outbox dev at its start.\n${lines.join('\n')}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return file;
}

/** As node reads it: a "#" outside of quotes begins a comment, and nothing is escaped within them. */
function quote(value: string): string {
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}
