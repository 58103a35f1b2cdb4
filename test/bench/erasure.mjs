// Usage: npm run build && node test/bench/erasure.mjs [--records 100000] [--subject 20000]
// What an erasure reads: the plans of its pages, for an actor and for a target, and how long erasing all of a subject's
// records takes. One real PostgreSQL, 24 months, ten tenants, one of them with 90 %; the subject's records lie in between.
import { parseArgs } from 'node:util';
import { eraseSubject } from '../../dist/src/application/audit/erase/erase-subject.js';
import { logKeys } from '../../dist/src/application/audit/log/log-keys.js';
import { NOTE_TOOLS } from '../../dist/src/application/audit/log/note-tools.js';
import { signerKey } from '../../dist/src/domain/audit/note-key.js';
import { createEraseStore, findStatement } from '../../dist/src/infrastructure/prisma/erase-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { withAuditDatabase } from './audit-set-up.mjs';
import { fillBenchRecords } from './fill-records.mjs';

const { values } = parseArgs({
  options: { records: { type: 'string', default: '100000' }, subject: { type: 'string', default: '20000' } },
});
const SUBJECTS = { actor: { kind: 'actor', id: 'erased' }, target: { kind: 'target', type: 'user', id: 'erased' } };

/** $1 how many, evenly over the 24 months: an actor's, or a target's. */
const FILL = (subject) => `
WITH made AS MATERIALIZED (
  SELECT '${subject}-' || n AS event_id, to_timestamp(ms / 1000.0) AS at,
    (lpad(to_hex(ms), 12, '0') || '7' || substr(md5('${subject}' || n), 1, 3) || '8' || substr(md5('${subject}' || n), 4, 15))::uuid AS record_id
  FROM (SELECT n, extract(epoch FROM timestamptz '2024-01-01Z' + n * (interval '730 days' / $1::integer))::bigint * 1000 AS ms
    FROM generate_series(0, $1::integer - 1) n) s
)
INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category, operation,
  outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body, leaf_hash)
SELECT record_id, at, 't-0', '/bench', event_id, 'a.b', 1, 'data', 'create', 'success', 'info', at, 'user',
  ${subject === 'actor' ? "'erased'" : "'u-1'"}, 'api', gen_random_uuid(), 1, '\\x00',
  jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', ${subject === 'actor' ? "'erased'" : "'u-1'"}),
    'targets', jsonb_build_array(jsonb_build_object('type', 'user', 'id', ${subject === 'target' ? "'erased'" : "'u-2'"})),
    'data', jsonb_build_object('text', repeat(md5(event_id), 20))), sha256(event_id::bytea)
FROM made`;

await withAuditDatabase(async (url) => {
  const pool = createPool(url, { max: 1, statementTimeoutMs: 600_000 });
  try {
    await fillBenchRecords(pool, { records: Number(values.records), months: 24 });
    for (const name of Object.keys(SUBJECTS)) await pool.query(FILL(name), [Number(values.subject)]);
    await pool.query('VACUUM ANALYZE audit.record');
    const signer = signerKey(NOTE_TOOLS, 'bench/log', new Uint8Array(32).fill(7));
    const keys = logKeys({ base: 'bench/log', signers: [signer], verifiers: [] });
    for (const [name, subject] of Object.entries(SUBJECTS)) {
      const { text, values: own } = findStatement(subject);
      for (const [page, from] of Object.entries({ first: '-infinity', middle: '2025-01-01Z' })) {
        const { rows } = await pool.query({
          text: `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY ON) ${text}`,
          values: ['t-0', from, '00000000-0000-0000-0000-000000000000', 10_000, ...own],
        });
        console.log(`\n${name}, the ${page} page\n${rows.map((row) => row['QUERY PLAN']).join('\n')}`);
      }
      const erase = eraseSubject({
        store: createEraseStore(pool),
        keys,
        anchor: null,
        now: () => new Date(),
        newId: () => crypto.randomUUID(),
      });
      const startedAt = performance.now();
      const done = await erase({ tenantId: 't-0', subject, by: 'bench', reason: 'bench' });
      console.log(`\n${name}: ${JSON.stringify(done)} in ${Math.round(performance.now() - startedAt)} ms`);
    }
  } finally {
    await pool.end();
  }
});
