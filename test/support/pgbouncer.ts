import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { onFreePort } from '../../src/infrastructure/embedded/free-port.js';
import { type RunningProcess, startProcess } from './start-process.js';

export interface PgBouncer {
  /** The same database, through it. */
  through(url: string): string;
  stop(): Promise<void>;
}

/** What PgBouncer 1.18 does not know, and refuses a connection for: docs/poolers.md names the same. */
export const IGNORED = 'extra_float_digits,options,statement_timeout,lock_timeout,idle_in_transaction_session_timeout';

/** A real PgBouncer in front of a test's server. `wanted`: its port; 0: any. */
export async function startPgBouncer(
  serverUrl: string,
  mode: 'session' | 'transaction' | 'statement',
  wanted = 0,
): Promise<PgBouncer> {
  const { hostname, port: serverPort, username } = new URL(serverUrl);
  const folder = await mkdtemp(join(tmpdir(), 'outbox-pgbouncer-'));
  await chmod(folder, 0o755); // it refuses to run as root
  const file = join(folder, 'pgbouncer.ini');
  const { process: bouncer, port } = await onFreePort(wanted, async (free) => {
    const lines = [
      '[databases]',
      `* = host=${hostname} port=${serverPort} user=${username}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${free}`,
      'unix_socket_dir =',
      'auth_type = any',
      `pool_mode = ${mode}`,
      'default_pool_size = 100',
      'max_client_conn = 400',
      `ignore_startup_parameters = ${IGNORED}`,
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    return { process: await run(file, free), port: free };
  });
  return {
    through: (url) => Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).toString(),
    async stop() {
      bouncer.kill('SIGTERM');
      bouncer.kill('SIGKILL');
      await bouncer.ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function run(file: string, port: number): Promise<RunningProcess> {
  const path = process.env.TEST_PGBOUNCER;
  if (path === undefined) throw new Error('no PgBouncer: run this file in the jest project "system"');
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
  const started = startProcess([path, ...user, file], { cwd: '/', env: {} });
  let ended = false;
  void started.ended.then(() => {
    ended = true;
  });
  for (;;) {
    if (ended) throw new Error(`PgBouncer ended while starting:\n${started.printed()}`);
    const client = new pg.Client({ host: '127.0.0.1', port, database: 'postgres', user: 'any' });
    client.on('error', () => {}); // one that is dropped tries again
    try {
      await client.connect();
      await client.end();
      return started;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50)); // not listening yet
    }
  }
}
