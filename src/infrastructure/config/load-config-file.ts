import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineConfig, type OutboxConfig } from '../../application/delivery/define-config.js';
import { createRedactor } from '../../domain/redaction/redactor.js';
import { ConfigurationError } from './load-settings.js';

export const DEFAULT_CONFIG_FILE = 'temporal-outbox.config.ts';

/**
 * The configuration that a file exports by default; a `.ts` file loads by Node's type stripping, without a build.
 * @param path null: `temporal-outbox.config.ts` in the working directory, and an empty configuration where there is none
 * @throws ConfigurationError naming the file and what is wrong with it
 */
export async function loadConfigFile(path: string | null, workingDirectory: string): Promise<OutboxConfig> {
  const file = resolve(workingDirectory, path ?? DEFAULT_CONFIG_FILE);
  if (!existsSync(file)) {
    if (path === null) return defineConfig({});
    throw new ConfigurationError([`${file}: no such file; --config names the file that exports defineConfig({ … })`]);
  }
  const loaded = await importFile(file);
  if (loaded.default === undefined) {
    throw new ConfigurationError([`${file}: no default export; expected \`export default defineConfig({ … })\``]);
  }
  try {
    return defineConfig(loaded.default as OutboxConfig);
  } catch (error) {
    // Its heading would stand here a second time.
    const [heading = '', ...problems] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new ConfigurationError((problems.length > 0 ? problems : [heading]).map((problem) => `${file}: ${problem}`));
  }
}

async function importFile(file: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (cause) {
    // Code of the application's own ran here, and its error may quote what it connects with.
    const redactor = createRedactor({ personalData: false });
    const reason = redactor.text(cause instanceof Error ? cause.message : String(cause), 2_000);
    throw new ConfigurationError([`${file}: could not be loaded: ${reason}`], { cause });
  }
}
