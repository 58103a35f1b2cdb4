import { randomBytes } from 'node:crypto';
import pg from 'pg';

export interface TestDatabases {
  readonly outboxUrl: string;
  readonly auditUrl: string;
  /** Ends every session on both and drops them. */
  drop(): Promise<void>;
}

/**
 * Two databases of their own, cloned from the migrated templates (20 ms each); null leaves the outbox without a
 * deployment's name. Call `drop` in afterAll.
 */
export async function createTestDatabases(deployment: string | null = 'main'): Promise<TestDatabases> {
  const suffix = randomBytes(6).toString('hex');
  const names = { outbox: `outbox_${suffix}`, audit: `audit_${suffix}` };
  await asAdmin(async (client) => {
    await client.query(`CREATE DATABASE ${names.outbox} TEMPLATE template_outbox`);
    await client.query(`CREATE DATABASE ${names.audit} TEMPLATE template_audit`);
  });
  if (deployment !== null) {
    await on(urlOf(names.outbox), (client) =>
      client.query('INSERT INTO outbox.deployment (name) VALUES ($1)', [deployment]),
    );
  }
  await on(urlOf(names.audit), (client) => client.query(AS_MIGRATED_NOW));
  return {
    outboxUrl: urlOf(names.outbox),
    auditUrl: urlOf(names.audit),
    drop: () =>
      asAdmin(async (client) => {
        for (const name of Object.values(names)) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      }),
  };
}

/**
 * A suite that began last month has a template with that month's partition and without the last one of today's. Months that
 * are over are empty in a fresh clone.
 */
const AS_MIGRATED_NOW = `
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit.record'::regclass AND c.relname < 'record_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
  LOOP
    EXECUTE format('DROP TABLE audit.%I', name);
  END LOOP;
  PERFORM audit.ensure_partitions();
END $$`;

async function on(databaseUrl: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** An empty database, for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `empty_${randomBytes(6).toString('hex')}`;
  await asAdmin((client) => client.query(`CREATE DATABASE ${name}`));
  return {
    url: urlOf(name),
    drop: async () => {
      await asAdmin((client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** Runs with a superuser connection to the server's own database, for what a test needs to do to other sessions. */
export async function asAdmin<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    // CREATE DATABASE … TEMPLATE refuses while another clone of it runs: one at a time over all test files.
    await client.query('SELECT pg_advisory_lock(4242)');
    return await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(database: string): string {
  const url = new URL(adminUrl());
  url.pathname = `/${database}`;
  return url.toString();
}

function adminUrl(): string {
  const url = process.env[`TEST_POSTGRES_URL_${process.env.JEST_WORKER_ID}`];
  if (url === undefined) throw new Error('no PostgreSQL: run this file in the jest project "system"');
  return url;
}
