// What workers do at the end of a run, for contenders that have none: the statement of attempt-statements.ts, for many rows.
const SETTLE = `
UPDATE outbox.delivery SET status = 'DELIVERED', receipt = $2::jsonb, settled_at = clock_timestamp(), lease_token = NULL
WHERE event_id = ANY ($1::uuid[]) AND epoch = 0 AND status IN ('PENDING', 'STARTED')`;
/** Of the audit log's size. */
const RECEIPT = JSON.stringify({
  id: '0197d3a0-0000-7000-8000-000000000001',
  hash: `sha-256:${'ab'.repeat(32)}`,
  at: '2026-01-01T00:00:00.000Z',
  replayed: false,
  status: 201,
});

/** @param {import('pg').Pool} pool @param {readonly { eventId: string }[]} rows @returns {Promise<number>} how many it found open */
export async function settleRows(pool, rows) {
  const values = [rows.map(({ eventId }) => eventId), RECEIPT];
  return (await pool.query({ name: 'settle', text: SETTLE, values })).rowCount;
}
