import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file that the package brings, from dist/ in a checkout and in an installed package alike. */
export function packageFile(name: string): string {
  for (const up of ['../../../../', '../../../']) {
    const file = fileURLToPath(new URL(`${up}${name}`, import.meta.url));
    if (existsSync(file)) return file;
  }
  throw new Error(`the package is incomplete: ${name} is missing`);
}
