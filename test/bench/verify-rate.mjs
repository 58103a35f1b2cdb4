// Usage: npm run build && node test/bench/verify-rate.mjs [--records 50000]
// How many records a second `outbox audit verify` looks at: records of some 700 bytes, written in batches of 100, sealed and
// signed on the way, then the whole log verified three times with its anchor, by the use case that the command calls, in this
// process. Written to standard output: records a second of each run, and the greatest resident memory seen (flat memory is
// not proven by one size: run it with two).
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { logKeys } from '../../dist/src/application/audit/log/log-keys.js';
import { NOTE_TOOLS } from '../../dist/src/application/audit/log/note-tools.js';
import { sealRecords } from '../../dist/src/application/audit/log/seal-records.js';
import { writeCheckpoint } from '../../dist/src/application/audit/log/write-checkpoint.js';
import { verifyLog } from '../../dist/src/application/audit/verify/verify-log.js';
import { signerKey } from '../../dist/src/domain/audit/note-key.js';
import { createFileAnchor } from '../../dist/src/infrastructure/anchor/file-anchor.js';
import { createCheckpointStore } from '../../dist/src/infrastructure/prisma/checkpoint-store.js';
import { createLeafStore } from '../../dist/src/infrastructure/prisma/leaf-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createSealStore } from '../../dist/src/infrastructure/prisma/seal-store.js';
import { createVerifyStore } from '../../dist/src/infrastructure/prisma/verify-store.js';
import { withAuditDatabase, writer } from './audit-set-up.mjs';

const { values } = parseArgs({ options: { records: { type: 'string', default: '50000' } } });
const RECORDS = Number(values.records);
const BATCH = 100;

const folder = await mkdtemp(join(tmpdir(), 'verify-rate-'));
try {
  await withAuditDatabase(async (url) => {
    const pool = createPool(url, { max: 4, statementTimeoutMs: 600_000 });
    const leaves = createLeafStore(pool);
    const anchor = createFileAnchor(join(folder, 'anchor.ndjson'));
    const keys = logKeys({ base: 'bench', signers: [signerKey(NOTE_TOOLS, 'bench', randomBytes(32))], verifiers: [] });
    const seal = sealRecords({ store: createSealStore(pool), log: console });
    const checkpoint = writeCheckpoint({
      leaves,
      checkpoints: createCheckpointStore(pool),
      anchor,
      keys,
    });
    const write = writer(pool);
    for (let done = 0; done < RECORDS; done += BATCH * 4) {
      await Promise.all([write(BATCH), write(BATCH), write(BATCH), write(BATCH)]);
      await seal(new AbortController().signal);
      await checkpoint();
    }
    await pool.query('VACUUM ANALYZE');
    const verify = verifyLog({ store: createVerifyStore(pool), leaves, tools: NOTE_TOOLS, keys, anchor });
    for (let run = 1; run <= 3; run++) {
      let memory = 0;
      const startedAt = performance.now();
      const cpu = process.cpuUsage();
      const report = await verify(
        {},
        {
          onProgress: () => {
            memory = Math.max(memory, process.memoryUsage().rss);
          },
        },
      );
      const seconds = (performance.now() - startedAt) / 1_000;
      const { user, system } = process.cpuUsage(cpu);
      if (report.first !== null) throw new Error(JSON.stringify(report));
      console.log(
        `run ${run}: ${report.records} records in ${seconds.toFixed(1)} s, ${Math.round(report.records / seconds)} records/s; ` +
          `node's CPU ${((user + system) / 1_000 / report.records).toFixed(3)} ms a record, RSS ${Math.round(memory / 2 ** 20)} MiB`,
      );
    }
    await pool.end();
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
