/** Looks at the line once a second: how long the oldest due event has waited, what is open, the breaker, how much memory was ever taken. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { WAITING, WAITING_ORDERED } from '../../../dist/src/infrastructure/prisma/open-rows-sql.js';
import { runStatement } from '../../../dist/src/infrastructure/prisma/pg-pool.js';
import { LEDGER_KEY } from '../../../dist/src/main/chaos/chaos-config.js';
import { readLine } from '../../../dist/src/main/chaos/watch-line.js';

const SAMPLE_MS = 1_000;
const TIMEOUT_MS = 3_000;

/** As `outbox_oldest_due_age_seconds`: claimed rows are not due until their lease is over. */
const oldest = ({ rows }) => `(SELECT min(d.due_at) FROM outbox.delivery d WHERE ${rows})`;
const LAG = `SELECT greatest(0, coalesce(
  extract(epoch FROM clock_timestamp() - least(${oldest(WAITING)}, ${oldest(WAITING_ORDERED)})), 0))::float8 AS lag`;

/** Whether the ledger's breaker keeps it from being called. */
const AWAY = `SELECT coalesce((SELECT breaker <> 'closed' FROM outbox.destination WHERE name = $1), false) AS away`;

/**
 * @param {Pick<import('../../../dist/src/main/chaos/run-chaos.js').RunWorld, 'outbox' | 'fleet' | 'producer'>} world
 */
export function startSampling({ outbox, fleet, producer }) {
  const began = performance.now();
  const samples = [];
  const peakBytes = {};
  let stopped = false;
  const loop = async () => {
    for (let n = 0; !stopped; n += 1) {
      await sleep(Math.max(0, n * SAMPLE_MS - (performance.now() - began)));
      const atMs = Math.round(performance.now() - began);
      const [lagSeconds, line, away] = await Promise.all([readLag(outbox), readLine(outbox), readAway(outbox)]);
      samples.push({ atMs, lagSeconds, open: line?.open ?? null, owed: producer.owed, away });
      for (const { name, pid } of fleet.members) {
        peakBytes[name] = Math.max(peakBytes[name] ?? 0, await readPeak(pid));
      }
      // A look that took longer than a second is not made up for.
      n = Math.max(n, Math.floor((performance.now() - began) / SAMPLE_MS));
    }
  };
  const running = loop();
  return {
    samples,
    /** By process, the most that it ever had, by the kernel's own account (VmHWM). */
    peakBytes,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

async function readLag(outbox) {
  try {
    const [row] = await runStatement(outbox, { name: 'production_lag', text: LAG, timeoutMs: TIMEOUT_MS });
    return row === undefined ? null : row.lag;
  } catch {
    return null; // too slow, or away: that second has no figure
  }
}

async function readAway(outbox) {
  try {
    const values = [LEDGER_KEY];
    const [row] = await runStatement(outbox, { name: 'production_away', text: AWAY, values, timeoutMs: TIMEOUT_MS });
    return row?.away ?? null;
  } catch {
    return null; // as above
  }
}

async function readPeak(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''); // it has ended
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1_024;
}
