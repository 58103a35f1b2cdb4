// Real: PostgreSQL, the sample application's transactions, the journal's file. Nothing is fake.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openJournal, readJournal } from '../../src/main/dev/journal.js';
import { expectedNumbers, produceSamples } from '../../src/main/dev/produce-samples.js';
import { createSampleTables } from '../../src/main/dev/sample-application.js';
import { seededRandom } from '../../src/main/dev/seeded-random.js';
import { createTestDatabases } from '../support/databases.js';

/** What the sample application did with a seed, on a database of its own: rows and events, without the ids of events. */
async function produced(seed: number) {
  const databases = await createTestDatabases();
  const folder = await mkdtemp(join(tmpdir(), 'outbox-samples-'));
  const pool = new pg.Pool({ connectionString: databases.outboxUrl, max: 2 });
  try {
    await createSampleTables(pool);
    const file = join(folder, 'journal.ndjson');
    await produceSamples(
      { pool, journal: openJournal(file, 'run'), random: seededRandom(seed) },
      { signal: new AbortController().signal, afterRound: () => {} },
    );
    const read = async (text: string) => (await pool.query(text)).rows;
    return {
      orders: await read('SELECT * FROM sample.customer_order ORDER BY id'),
      invoices: await read('SELECT * FROM sample.invoice ORDER BY id'),
      events: await read(
        `SELECT event_name, tenant_id, aggregate_type, aggregate_id, payload FROM outbox.event
         ORDER BY tx_id::text::bigint, event_name`,
      ),
      journal: await readJournal(file),
    };
  } finally {
    await pool.end();
    await databases.drop();
    await rm(folder, { recursive: true });
  }
}

it('the same seed does the same business, in the numbers that were expected; another seed does other business', async () => {
  const first = await produced(7);
  const again = await produced(7);
  const other = await produced(8);
  for (const what of ['orders', 'invoices', 'events'] as const) {
    expect(again[what]).toEqual(first[what]);
    expect(other[what]).not.toEqual(first[what]);
    expect(other[what]).toHaveLength(first[what].length);
  }
  expect(expectedNumbers()).toEqual({ committed: 182, rolledBack: 20, delivered: 175, retried: 4, redriven: 3 });
  expect([first.events.length, first.journal.committed.size, first.journal.rolledBack.size]).toEqual([182, 182, 20]);
  expect(first.journal.inDoubt.size).toBe(0);
}, 60_000);
