import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { RIGHT_HOLDERS, type RightHolder } from '../../src/infrastructure/prisma/rights.js';
import { asAdmin } from './databases.js';

export interface DatabaseRoles {
  /** Names that must be quoted to be names at all. */
  readonly names: Readonly<Record<RightHolder, string>>;
  /** `--producer NAME …`, for those named or for all. */
  options(...holders: RightHolder[]): string[];
  /** The database as this role. */
  urlAs(holder: RightHolder, url: string): string;
  /** With everything that was granted to them in the databases given. */
  drop(urls: readonly string[]): Promise<void>;
}

/** Roles of the server, new and without any right, for one test file. They log in without a password, as the server trusts. */
export async function createDatabaseRoles(): Promise<DatabaseRoles> {
  const suffix = randomBytes(4).toString('hex');
  const entries = RIGHT_HOLDERS.map((holder) => [holder, `Test "${holder}"; ${suffix}`] as const);
  const names = Object.fromEntries(entries) as Record<RightHolder, string>;
  const quoted = entries.map(([, name]) => pg.escapeIdentifier(name));
  await asAdmin(async (client) => {
    for (const name of quoted) await client.query(`CREATE ROLE ${name} LOGIN`);
  });
  return {
    names,
    options: (...holders) =>
      (holders.length === 0 ? RIGHT_HOLDERS : holders).flatMap((holder) => [`--${holder}`, names[holder]]),
    urlAs: (holder, url) => {
      const as = new URL(url);
      as.username = encodeURIComponent(names[holder]);
      as.password = '';
      return as.toString();
    },
    async drop(urls) {
      for (const url of urls) {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query(`DROP OWNED BY ${quoted.join(', ')}`);
        await client.end();
      }
      await asAdmin(async (client) => {
        for (const name of quoted) await client.query(`DROP ROLE ${name}`);
      });
    },
  };
}
