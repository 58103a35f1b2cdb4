import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineConfig, type OutboxConfig } from '../../application/delivery/define-config.js';
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
    throw new ConfigurationError([`${file}: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

async function importFile(file: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(file).href)) as { default?: unknown };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError([`${file}: could not be loaded: ${reason}`], { cause });
  }
}
