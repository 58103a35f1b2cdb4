/**
 * The roles and databases of deploy/, on a PostgreSQL that has none of them or all; run again, it sets the passwords anew.
 * By a superuser, or a role with CREATEDB and CREATEROLE: PGHOST, PGPORT, PGUSER, PGPASSWORD. Each role's password:
 * DB_APPLICATION_PASSWORD, DB_OUTBOX_PASSWORD, DB_AUDIT_PASSWORD, DB_TEMPORAL_PASSWORD.
 */
import pg from 'pg';

const ROLES = {
  shop: 'DB_APPLICATION_PASSWORD',
  outbox: 'DB_OUTBOX_PASSWORD',
  audit: 'DB_AUDIT_PASSWORD',
  temporal: 'DB_TEMPORAL_PASSWORD',
};

/** The owner makes what it needs in it; `guest` makes a schema of its own there: the outbox's tables in the application's. */
const DATABASES = [
  { name: 'shop', owner: 'shop', guest: 'outbox' },
  { name: 'audit', owner: 'audit' },
  { name: 'temporal', owner: 'temporal' },
  { name: 'temporal_visibility', owner: 'temporal' },
];

const missing = Object.values(ROLES).filter((variable) => (process.env[variable] ?? '') === '');
if (missing.length > 0) {
  process.stderr.write(`create-databases: missing: ${missing.join(', ')}\n`);
  process.exit(78);
}

const client = new pg.Client({ database: 'postgres', connectionTimeoutMillis: 10_000, query_timeout: 60_000 });
await client.connect();
try {
  // Two at once would both find nothing.
  await client.query('SELECT pg_advisory_lock(747261)');
  for (const [role, variable] of Object.entries(ROLES)) await makeRole(role, process.env[variable]);
  for (const database of DATABASES) await makeDatabase(database);
  process.stdout.write(`create-databases: ${DATABASES.map(({ name }) => name).join(', ')} are there\n`);
} finally {
  await client.end();
}

async function makeRole(role, password) {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0) await client.query(`CREATE ROLE ${role} LOGIN`);
  await client.query(`ALTER ROLE ${role} PASSWORD ${client.escapeLiteral(password)}`);
}

async function makeDatabase({ name, owner, guest }) {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) {
    // Who is no superuser may give a database only to a role that it can become.
    await client.query(`GRANT ${owner} TO CURRENT_USER`);
    await client.query(`CREATE DATABASE ${name} OWNER ${owner}`);
  }
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  if (guest !== undefined) await client.query(`GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${name} TO ${guest}`);
}
