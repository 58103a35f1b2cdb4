// A report, a backup or a forgotten psql: a REPEATABLE READ transaction in the outbox's database, on whose account no dead row
// version and no dead index entry that came after it may go.
import pg from 'pg';

/** @returns {Promise<() => Promise<void>>} ends it; throws where the server had ended it before */
export async function holdSnapshot(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl });
  let broken = null;
  client.on('error', (error) => {
    broken = error;
  });
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await client.query('SELECT FROM outbox.deployment'); // the snapshot is taken by the first statement
  return async () => {
    if (broken !== null) throw new Error('the snapshot was not held to the end', { cause: broken });
    await client.query('COMMIT');
    await client.end();
  };
}
