import { existsSync, readFileSync } from 'node:fs';

interface Package {
  readonly name?: unknown;
  readonly version?: unknown;
}

/** Of this package, wherever it runs: from dist/ in a checkout or an installed package, or from its sources. */
export function packageVersion(): string {
  for (const up of ['../../../', '../../']) {
    const file = new URL(`${up}package.json`, import.meta.url);
    if (!existsSync(file)) continue;
    // Above the sources another package may stand.
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as Package;
    if (name === 'temporal-outbox' && typeof version === 'string') return version;
  }
  throw new Error('the package is incomplete: its package.json is missing');
}
