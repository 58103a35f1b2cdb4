// Usage: npm run build && node test/bench/sealing-cost.mjs [--records 30000]     (Linux: reads /proc)
// What sealing costs as a share of what inserting costs, in CPU. Writers (batches of 100, four at once) and the sealer run
// together, the sealer's turn every 250 ms as in the worker, each over a pool of its own. CPU of the server: utime and stime of
// each backend by /proc/<pid>/stat, the sealer's against the writers'. CPU of Node: this process writes and seals, so what a
// sealer's turn takes of it is measured apart, after the writing, sealing as many records again in turns of the same size;
// what writing takes is the rest. Background processes of the server (WAL writer, checkpointer) are in neither.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sealRecords } from '../../dist/src/application/audit/log/seal-records.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createSealStore } from '../../dist/src/infrastructure/prisma/seal-store.js';
import { withAuditDatabase, writer } from './audit-set-up.mjs';

const { values } = parseArgs({ options: { records: { type: 'string', default: '30000' } } });
const RECORDS = Number(values.records);
const TICK_MS = 10; // USER_HZ is 100 wherever Linux runs
const EVERY_MS = 250;

const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};
const pidsOf = async (pool, name) =>
  (await pool.query('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [name])).rows.map(({ pid }) => pid);
const nodeCpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

await withAuditDatabase(async (url) => {
  const writing = createPool(url, { max: 4, applicationName: 'bench writer' });
  const sealing = createPool(url, { max: 1, applicationName: 'bench sealer' });
  const watching = createPool(url, { max: 1 });
  const write = writer(writing);
  const seal = sealRecords({ store: createSealStore(sealing), log: console });
  const turn = () => seal(new AbortController().signal);
  await Promise.all(Array.from({ length: 4 }, () => write(100)));
  await turn();

  const writers = await pidsOf(watching, 'bench writer');
  const [sealer] = await pidsOf(watching, 'bench sealer');
  const before = { writers: writers.map(cpuOf), sealer: cpuOf(sealer), node: nodeCpu() };
  let left = RECORDS;
  let turns = 0;
  const run = async () => {
    while (left > 0) {
      left -= 100;
      await write(100);
    }
  };
  const sealed = (async () => {
    while (left > 0) {
      await turn();
      turns += 1;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await turn();
  })();
  await Promise.all([run(), run(), run(), run(), sealed]);
  const after = { writers: writers.map(cpuOf), sealer: cpuOf(sealer), node: nodeCpu() };

  // Node's part of sealing, alone: the same number of turns with nothing else in this process.
  const aloneFrom = nodeCpu();
  for (let at = 0; at < turns; at++) await turn();
  const nodeSealing = nodeCpu() - aloneFrom;

  const writerCpu = after.writers.reduce((sum, cpu, at) => sum + cpu - before.writers[at], 0);
  const sealerCpu = after.sealer - before.sealer;
  const nodeWriting = after.node - before.node - nodeSealing;
  const show = (name, ms) =>
    console.log(
      `${name.padEnd(34)} ${ms.toFixed(0).padStart(7)} ms  ${((ms * 1_000) / RECORDS).toFixed(1)} us a record`,
    );
  console.log(`${RECORDS} records, ${turns} turns of the sealer`);
  show("writers' backends", writerCpu);
  show('node, writing (without HTTP)', nodeWriting);
  show("the sealer's backend", sealerCpu);
  show('node, sealing', nodeSealing);
  console.log(
    `sealing / inserting: server ${((100 * sealerCpu) / writerCpu).toFixed(1)} %, ` +
      `all ${((100 * (sealerCpu + nodeSealing)) / (writerCpu + nodeWriting)).toFixed(1)} %`,
  );
  await Promise.all([writing.end(), sealing.end(), watching.end()]);
});
