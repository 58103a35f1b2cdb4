// Real: PostgreSQL and Temporal started by the product's own embedded module, as processes.
import pg from 'pg';
import { createTestDatabases } from '../support/databases.js';

describe('test databases', () => {
  it('are clones of the migrated templates', async () => {
    const databases = await createTestDatabases();
    try {
      const client = new pg.Client({ connectionString: databases.outboxUrl });
      await client.connect();
      const { rows } = await client.query('SELECT count(*)::int AS n FROM outbox.event');
      await client.end();
      expect(rows).toEqual([{ n: 0 }]);
    } finally {
      await databases.drop();
    }
  });
});
