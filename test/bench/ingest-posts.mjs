// Usage: npm run build && node test/bench/ingest-posts.mjs [--rounds 5] [--seconds 6] [--connections 8]    (Linux: reads /proc)
// Posts to the audit log's entrance as other systems do: the built `outbox api` as a process of its own, HTTP with kept
// connections, an API key without a tenant's rate, PostgreSQL with fsync on. Two loads take turns (A B A B …) on one database:
// A, single posts, one outstanding on each connection; B, batches of 100, one outstanding on each of a quarter as many. Closed
// loops: a latency is what the client waits for one answer under that load, and the events a second are what comes of it. CPU
// is that of the api and of all of PostgreSQL, by /proc/<pid>/stat, for each 1,000 events; the client has a share of the same
// machine. Medians over the rounds, with the least and the greatest.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { createApiKey } from '../../dist/src/application/audit/create-api-key.js';
import { createAuditApiKeys } from '../../dist/src/infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { event, withAuditDatabase } from './audit-set-up.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '6' },
    connections: { type: 'string', default: '8' },
  },
});
const [ROUNDS, SECONDS, CONNECTIONS] = [values.rounds, values.seconds, values.connections].map(Number);
const TICK_MS = 10; // USER_HZ is 100 wherever Linux runs
const CLI = fileURLToPath(new URL('../../dist/src/cli/outbox.js', import.meta.url));

const statOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
const cpuOf = (pid) => {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};
/** Of the server and its children, with those that have ended (cutime, cstime of the server). */
const cpuOfServer = (pid) => {
  const fields = statOf(pid);
  const ended = (Number(fields[13]) + Number(fields[14])) * TICK_MS;
  const children = readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && Number(statOf(name)[1]) === pid;
    } catch {
      return false; // it has ended since the listing
    }
  });
  return cpuOf(pid) + ended + children.reduce((sum, child) => sum + cpuOf(child), 0);
};

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const at = (numbers, share) => sorted(numbers)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];
const spread = (numbers, digits = 0) =>
  `${at(numbers, 0.5).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)})`;

await withAuditDatabase(async (url) => {
  const pool = createPool(url, { max: 1 });
  const { secret } = await createApiKey({ keys: createAuditApiKeys(pool) })({
    name: 'bench',
    scopes: ['audit:write:any-tenant', 'audit:write'],
  });
  const [{ pid }] = (await pool.query("SELECT (regexp_match(pg_read_file('postmaster.pid'), '\\d+'))[1]::int AS pid"))
    .rows;
  const api = spawn(process.execPath, [CLI, 'api'], {
    env: {
      PATH: process.env.PATH,
      AUDIT_DATABASE_URL: url,
      AUDIT_FINGERPRINT_KEYS: `bench:${randomBytes(32).toString('hex')}`,
      OUTBOX_API_PORT: '0',
      OUTBOX_LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await new Promise((resolve, reject) => {
      api.once('exit', (code) => reject(new Error(`the api ended with ${code}`)));
      createInterface({ input: api.stdout }).on('line', (line) => {
        const { msg, apiPort } = JSON.parse(line);
        if (msg === 'process.started') resolve(apiPort);
      });
    });
    const http = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
    const post = async (size) => {
      const body = JSON.stringify(size === 1 ? event() : Array.from({ length: size }, event));
      const from = performance.now();
      const answer = await http.request({
        method: 'POST',
        path: '/integration/v1/audit/logs',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body,
      });
      const text = await answer.body.text();
      const ms = performance.now() - from;
      if (answer.statusCode !== (size === 1 ? 201 : 207))
        throw new Error(`${answer.statusCode}: ${text.slice(0, 300)}`);
      return ms;
    };
    const round = async (size, outstanding, seconds) => {
      const until = performance.now() + seconds * 1_000;
      const waits = [];
      const before = { api: cpuOf(api.pid), server: cpuOfServer(pid), from: performance.now() };
      const loop = async () => {
        while (performance.now() < until) waits.push(await post(size));
      };
      await Promise.all(Array.from({ length: outstanding }, loop));
      const events = waits.length * size;
      const took = (performance.now() - before.from) / 1_000;
      return {
        posts: waits.length / took,
        events: events / took,
        p50: at(waits, 0.5),
        p95: at(waits, 0.95),
        p99: at(waits, 0.99),
        api: (cpuOf(api.pid) - before.api) / (events / 1_000),
        server: (cpuOfServer(pid) - before.server) / (events / 1_000),
      };
    };
    const loads = [
      { name: 'single posts', size: 1, outstanding: CONNECTIONS, rounds: [] },
      { name: 'batches of 100', size: 100, outstanding: Math.max(1, CONNECTIONS >> 2), rounds: [] },
    ];
    for (const { size, outstanding } of loads) await round(size, outstanding, 2); // warms code, plans and pool
    for (let time = 0; time < ROUNDS; time++) {
      for (const load of loads) load.rounds.push(await round(load.size, load.outstanding, SECONDS));
    }
    const { version } = (await pool.query("SELECT current_setting('server_version') AS version")).rows[0];
    console.log(
      `Node ${process.version}, PostgreSQL ${version}, ${ROUNDS} rounds of ${SECONDS} s each, medians (least–greatest)`,
    );
    for (const { name, outstanding, rounds } of loads) {
      const of = (field, digits) =>
        spread(
          rounds.map((one) => one[field]),
          digits,
        );
      console.log(`${name}, ${outstanding} outstanding: ${of('posts')} posts/s, ${of('events')} events/s`);
      console.log(`  waits in ms: p50 ${of('p50', 1)}, p95 ${of('p95', 1)}, p99 ${of('p99', 1)}`);
      console.log(`  CPU ms for 1,000 events: api ${of('api')}, PostgreSQL ${of('server')}`);
    }
    const ratios = loads[1].rounds.map((one, time) => one.events / loads[0].rounds[time].events);
    console.log(`events/s, batches / single: ${spread(ratios, 1)}`);
    await http.close();
  } finally {
    api.kill('SIGTERM');
    await pool.end();
  }
});
