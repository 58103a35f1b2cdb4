import type pg from 'pg';

/**
 * One after another, which know the audit log's tables already. An api that has none yet opens as many as it is asked at once,
 * and the first statement of each waits for its own: more than two seconds where fifty servers' processes start on a busy
 * machine, for which 503 is the right answer.
 */
export async function openConnections(pool: pg.Pool, count: number): Promise<void> {
  const opened: pg.PoolClient[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const client = await pool.connect();
      opened.push(client);
      await client.query('SELECT FROM audit.api_key, audit.record_key, audit.record LIMIT 0');
    }
  } finally {
    for (const client of opened) client.release();
  }
}
