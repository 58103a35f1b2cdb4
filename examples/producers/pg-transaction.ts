import type { PoolClient } from 'pg';

/**
 * Raw pg needs no adapter, only the client that BEGIN ran on (never the pool: it may take another connection).
 *
 *   await pgTransaction(await pool.connect(), async (client) => {
 *     await client.query('INSERT INTO users (id, name) VALUES ($1, $2)', [id, name]);
 *     await recordEvent(client, { eventName: 'auth.user.signed_up.v1', … });
 *   });
 */
export async function pgTransaction<T>(client: PoolClient, work: (client: PoolClient) => Promise<T>): Promise<T> {
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}
