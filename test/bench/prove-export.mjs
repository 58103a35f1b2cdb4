// Usage: npm run build && node test/bench/prove-export.mjs [--records 20000] [--erased 1000]
// What an export with proofs costs: records of some 700 bytes, one in a thousand of a tenant of its own, sealed and signed on
// the way; then the whole log, the small tenant alone, and the whole log again after the first records were erased under
// signed notes. Written to standard output, for each: lines, seconds, statements that the database was sent, megabytes.
import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { eraseSubject } from '../../dist/src/application/audit/erase/erase-subject.js';
import { logKeys } from '../../dist/src/application/audit/log/log-keys.js';
import { createLogTree } from '../../dist/src/application/audit/log/log-tree.js';
import { NOTE_TOOLS, sha256 } from '../../dist/src/application/audit/log/note-tools.js';
import { sealRecords } from '../../dist/src/application/audit/log/seal-records.js';
import { writeCheckpoint } from '../../dist/src/application/audit/log/write-checkpoint.js';
import { exportProofs } from '../../dist/src/application/audit/prove/export-proofs.js';
import { signerKey } from '../../dist/src/domain/audit/note-key.js';
import { createCheckpointStore } from '../../dist/src/infrastructure/prisma/checkpoint-store.js';
import { createEraseStore } from '../../dist/src/infrastructure/prisma/erase-store.js';
import { createLeafStore } from '../../dist/src/infrastructure/prisma/leaf-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createProvableStore } from '../../dist/src/infrastructure/prisma/provable-store.js';
import { createSealStore } from '../../dist/src/infrastructure/prisma/seal-store.js';
import { withAuditDatabase, writer } from './audit-set-up.mjs';

const { values } = parseArgs({
  options: { records: { type: 'string', default: '20000' }, erased: { type: 'string', default: '1000' } },
});
const RECORDS = Number(values.records);
const BATCH = 100;

await withAuditDatabase(async (url) => {
  const pool = createPool(url, { max: 4, statementTimeoutMs: 600_000 });
  const leaves = createLeafStore(pool);
  const checkpoints = createCheckpointStore(pool);
  const keys = logKeys({ base: 'bench', signers: [signerKey(NOTE_TOOLS, 'bench', randomBytes(32))], verifiers: [] });
  const seal = sealRecords({ store: createSealStore(pool), log: console });
  const checkpoint = writeCheckpoint({
    leaves,
    checkpoints,
    anchor: null,
    keys,
  });
  const [write, writeSmall] = [writer(pool), writer(pool, 'small')];
  for (let done = 0; done < RECORDS; done += BATCH * 10) {
    for (let batch = 0; batch < 9; batch++) await write(BATCH);
    await write(BATCH - 1);
    await writeSmall(1);
    await seal(new AbortController().signal);
    await checkpoint();
  }
  await pool.query('VACUUM ANALYZE');

  let statements = 0;
  pool.on('acquire', () => {
    statements += 1;
  });
  const run = async (name, filter) => {
    // As the command: a process of its own.
    const deps = {
      store: createProvableStore(pool),
      checkpoints,
      tree: createLogTree({ store: leaves, sha256 }),
      sha256,
    };
    statements = 0;
    let [lines, bytes] = [0, 0];
    const startedAt = performance.now();
    for await (const line of exportProofs(deps, filter)) {
      lines += 1;
      bytes += line.length + 1;
    }
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(2);
    console.log(`${name}: ${lines} lines in ${seconds} s, ${statements} statements, ${(bytes / 1e6).toFixed(1)} MB`);
  };
  await run('all', { tenantId: null });
  await run('a tenant with one record in a thousand', { tenantId: 'small' });

  const { rows } = await pool.query(
    `SELECT record_id, tenant_id, body->'actor'->>'id' AS actor FROM audit.record WHERE tenant_id = 'acme' ORDER BY record_id LIMIT $1`,
    [Number(values.erased)],
  );
  const ids = rows.map(({ record_id }) => record_id);
  const store = createEraseStore(pool);
  // Of all of them at once, so that there is one note for each thousand, as there is for a person with many records.
  const found = await pool.query('SELECT record_id, leaf_hash FROM audit.record WHERE record_id = ANY ($1)', [ids]);
  const left = found.rows.map((row) => ({ recordId: row.record_id, leafHash: row.leaf_hash }));
  const erase = eraseSubject({
    store: { ...store, find: async (_, limit) => left.splice(0, limit) },
    keys,
    anchor: null,
    now: () => new Date(),
    newId: randomUUID,
  });
  await erase({ tenantId: 'acme', subject: { kind: 'record', id: ids[0] }, by: 'bench', reason: 'bench' });
  await run(`all, ${ids.length} of them erased`, { tenantId: null });
  await pool.end();
});
