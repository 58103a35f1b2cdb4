/** Two empty databases that somebody made for a verification: for whose role may make none. They are empty again at the end. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { explainingDatabase } from '../explain-database.js';
import { StartRefusedError } from '../start-refused-error.js';
import { UsageError } from '../usage-error.js';
import type { VerifyDatabases } from './verify-databases.js';

const DEADLINES = { connectionTimeoutMillis: 10_000, query_timeout: 120_000 };

export interface GivenUrls {
  readonly outbox: string;
  readonly audit: string;
}

/** `text`: two URLs, separated by a comma. @throws UsageError where it is not */
export function readGivenUrls(text: string): GivenUrls {
  const urls = text.split(',').map((url) => url.trim());
  const [outbox, audit] = urls;
  if (urls.length !== 2 || outbox === undefined || audit === undefined || !urls.every(isPostgres)) {
    throw new UsageError(
      '--databases: expected two URLs, of the outbox and of the audit log: postgresql://…,postgresql://…',
    );
  }
  return { outbox, audit };
}

/** @throws StartRefusedError where one of them is not empty */
export async function takeGivenDatabases({ outbox: outboxUrl, audit: auditUrl }: GivenUrls): Promise<VerifyDatabases> {
  await refuseUnlessEmpty('outbox', outboxUrl);
  await refuseUnlessEmpty('audit', auditUrl);
  return {
    run: `given_${process.pid}_${randomBytes(4).toString('hex')}`,
    outboxUrl,
    auditUrl,
    names: [],
    async drop() {
      for (const url of [outboxUrl, auditUrl]) {
        await at(url, (client) => client.query('DROP SCHEMA IF EXISTS outbox, audit, chaos CASCADE'));
      }
    },
  };
}

function isPostgres(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url) && URL.canParse(url);
}

/** What is in it might be somebody's, whatever its name. */
async function refuseUnlessEmpty(part: 'outbox' | 'audit', url: string): Promise<void> {
  const { rows } = await explainingDatabase(part, () =>
    at(url, (client) =>
      client.query<{ name: string }>(
        `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
         UNION ALL SELECT format('schema %I', nspname) FROM pg_namespace WHERE nspname IN ('outbox', 'audit', 'chaos')
         LIMIT 1`,
      ),
    ),
  );
  if (rows[0] === undefined) return;
  throw new StartRefusedError(
    `--databases: expected two empty databases, the one of the ${part === 'outbox' ? 'outbox' : 'audit log'} has ${rows[0].name}: ` +
      'make one for this alone (CREATE DATABASE outbox_verify); where a killed verification left it, and nothing of yours is in ' +
      'it, DROP SCHEMA IF EXISTS outbox, audit, chaos CASCADE empties it. Nothing was written to it',
  );
}

async function at<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: 'outbox verify', ...DEADLINES });
  client.on('error', () => {}); // told by the statement that waits for it
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}
