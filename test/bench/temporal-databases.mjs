/**
 * The two databases of a Temporal server on PostgreSQL, with the schemas that the server's SQL tool carries. Dropped again by
 * whoever made them; those that are there already belong to somebody and are refused.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

/** Which driver the server and its tool use. This one keeps prepared statements; `postgres12` has every call parsed again. */
export const SQL_PLUGIN = 'postgres12_pgx';

/**
 * @typedef {object} TemporalStore
 * @property {{ host: string, port: string, user: string, password: string }} server
 * @property {{ main: string, visibility: string }} databases
 * @property {() => Promise<void>} drop ends their sessions
 */

/**
 * @param {{ adminUrl: string, sqlTool: string }} options a superuser's URL: the schema of visibility needs an extension
 * @returns {Promise<TemporalStore>}
 */
export async function createTemporalDatabases({ adminUrl, sqlTool }) {
  const databases = { main: 'temporal', visibility: 'temporal_visibility' };
  const created = [];
  const drop = async () => {
    for (const name of created.splice(0)) await query(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`);
  };
  const server = partsOf(adminUrl);
  try {
    for (const [purpose, name] of Object.entries(databases)) {
      await query(adminUrl, `CREATE DATABASE ${name}`);
      created.push(name);
      await setUpSchema(sqlTool, server, name, purpose === 'main' ? 'temporal' : 'visibility');
    }
  } catch (error) {
    await drop();
    throw error;
  }
  return { server, databases, drop };
}

async function query(url, text) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** @param {string} schema its folder among those inside the tool */
async function setUpSchema(sqlTool, { host, port, user, password }, database, schema) {
  const at = ['--plugin', SQL_PLUGIN, '--endpoint', host, '--port', port, '--user', user, '--database', database];
  const options = { env: { PATH: '/usr/bin:/bin', SQL_PASSWORD: password }, maxBuffer: 16 * 1024 * 1024 };
  await run(sqlTool, [...at, 'setup-schema', '--version', '0.0'], options);
  await run(sqlTool, [...at, 'update-schema', '--schema-name', `postgresql/v12/${schema}`], options);
}

function partsOf(adminUrl) {
  const { hostname, port, username, password } = new URL(adminUrl);
  return {
    host: hostname,
    port: port || '5432',
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}
