/**
 * Databases of a verification's own, on the servers that the environment names: what stands there is never touched. They are
 * dropped at the end by the very names that were made. What a killed run left is dropped by the next one on the same machine, and
 * only where the process that made it is gone and nobody is connected: a run that lives holds a session in each, so that another
 * container or machine of the same hostname cannot take it for dead.
 */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import pg from 'pg';
import { explainingDatabase } from '../explain-database.js';
import { StartRefusedError } from '../start-refused-error.js';
import { startOf } from './reaper.js';
import { within } from './within.js';

export interface VerifyDatabases {
  /** Of this run alone; for the deployment, too. */
  readonly run: string;
  readonly outboxUrl: string;
  readonly auditUrl: string;
  /** As a person would look for them. */
  readonly names: readonly string[];
  drop(): Promise<void>;
}

/** A killed run's: its runs are to be ended before it is dropped. */
export interface LeftDatabase {
  readonly run: string;
  readonly name: string;
  readonly url: string;
}

type Part = 'outbox' | 'audit';

const NAME = /^(outbox|audit)_verify_([0-9a-f]{6}_(\d+)_(\d+)_[0-9a-f]{4})$/;
const GOODBYE_MS = 5_000;
const DEADLINES = { connectionTimeoutMillis: 10_000, query_timeout: 120_000 };

/**
 * @throws StartRefusedError where the role may not make databases, with what to do; before anything is made
 */
export async function makeVerifyDatabases(urls: Readonly<Record<Part, string>>): Promise<VerifyDatabases> {
  const run = `${machine()}_${process.pid}_${startOf(process.pid)}_${randomBytes(2).toString('hex')}`;
  const made: { part: Part; name: string }[] = [];
  const held: pg.Client[] = [];
  const drop = async () => {
    for (const client of held.splice(0)) {
      await within(GOODBYE_MS, 'the session that holds it to end', client.end()).catch(() => {}); // dropping cuts it off
    }
    for (const { part, name } of made.splice(0).reverse()) await dropDatabase(urls[part], name);
  };
  try {
    for (const part of PARTS) await refuseWithoutRight(part, urls[part]);
    for (const part of PARTS) {
      const name = `${part}_verify_${run}`;
      await atServer(part, urls[part], (client) => client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`));
      made.push({ part, name });
      held.push(await connect(ofDatabase(urls[part], name)));
    }
  } catch (error) {
    await drop().catch(() => {}); // the first error is the reason
    throw error;
  }
  const [outboxUrl, auditUrl] = PARTS.map((part) => ofDatabase(urls[part], `${part}_verify_${run}`)) as [
    string,
    string,
  ];
  return { run, outboxUrl, auditUrl, names: made.map(({ name }) => name), drop };
}

const PARTS = ['outbox', 'audit'] as const;

/** What runs on this machine left when they were killed: those that nobody is connected to. */
export async function findLeft(part: Part, url: string): Promise<readonly LeftDatabase[]> {
  const { rows } = await atServer(part, url, (client) =>
    client.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database
       WHERE datname LIKE $1 AND pg_has_role(datdba, 'USAGE')
         AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = pg_database.datname) ORDER BY datname`,
      [`${part}\\_verify\\_%`],
    ),
  );
  return rows.flatMap(({ name }) => {
    const [, of, run, pid, started] = NAME.exec(name) ?? [];
    if (of !== part || run === undefined || !run.startsWith(`${machine()}_`)) return [];
    const now = startOf(Number(pid));
    if (now === started) return [];
    return [{ run, name, url: ofDatabase(url, name) }];
  });
}

/** Of this run, which is over: whoever is still connected is cut off. */
function dropDatabase(serverUrl: string, name: string): Promise<void> {
  return dropNamed(serverUrl, name, ' WITH (FORCE)');
}

/** Of another run: the server itself refuses it (55006) where somebody is connected. */
export function dropLeftDatabase(serverUrl: string, name: string): Promise<void> {
  return dropNamed(serverUrl, name, '');
}

async function dropNamed(serverUrl: string, name: string, how: '' | ' WITH (FORCE)'): Promise<void> {
  if (!NAME.test(name)) throw new Error(`expected a database that a verification made, got ${name}`);
  const client = await connect(serverUrl);
  try {
    await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)}${how}`);
  } finally {
    await client.end();
  }
}

async function refuseWithoutRight(part: Part, url: string): Promise<void> {
  const { rows } = await atServer(part, url, (client) =>
    client.query<{ role: string; may: boolean }>(
      'SELECT rolname AS role, rolcreatedb OR rolsuper AS may FROM pg_roles WHERE rolname = current_user',
    ),
  );
  const [{ role, may } = { role: 'it', may: false }] = rows;
  if (may) return;
  const identifier = new pg.Client().escapeIdentifier(role);
  throw new StartRefusedError(
    `a verification makes databases of its own on the server of ${VARIABLES[part]}, and the role ${role} may not: let it ` +
      `(\`ALTER ROLE ${identifier} CREATEDB\`), or name two empty databases with --databases OUTBOX_URL,AUDIT_URL. Nothing was made`,
  );
}

const VARIABLES: Readonly<Record<Part, string>> = { outbox: 'OUTBOX_DATABASE_URL', audit: 'AUDIT_DATABASE_URL' };

async function atServer<T>(part: Part, url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return explainingDatabase(part, async () => {
    const client = await connect(url);
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  });
}

async function connect(connectionString: string): Promise<pg.Client> {
  const kept = { keepAlive: true, keepAliveInitialDelayMillis: 30_000 };
  const client = new pg.Client({ connectionString, application_name: 'outbox verify', ...DEADLINES, ...kept });
  client.on('error', () => {}); // told by the statement that waits for it; of one that only holds, the roles' sessions hold on
  await client.connect();
  return client;
}

function ofDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** Another machine's runs are not this one's to judge. */
function machine(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 6);
}
