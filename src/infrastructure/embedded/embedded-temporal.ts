/**
 * A Temporal development server with its Web UI, on a database file: what ran before a stop or a kill goes on after the
 * next start. For development and tests only.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { endLeftover, spawnSupervised } from './child-process.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);

export interface EmbeddedTemporalOptions {
  /** An executable `temporal`, see findTemporal. */
  readonly cli: string;
  /** The server's database; omitted: in memory. */
  readonly dbFile?: string;
  /** Where the id of the process is kept between starts. */
  readonly pidFile: string;
  /** The first port to try; 0: any. */
  readonly port: number;
  /** The same for the Web UI; null: no UI. */
  readonly uiPort: number | null;
  /** Keyword search attributes to make before the server takes its first start. */
  readonly searchAttributes: readonly string[];
  readonly note?: (line: string) => void;
}

export interface EmbeddedTemporal {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startEmbeddedTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  await mkdir(dirname(options.pidFile), { recursive: true });
  if (await endLeftover(options.pidFile, 'SIGTERM', 10_000)) {
    options.note?.('ended the Temporal server that an earlier start left running');
  }
  const port = await freePort(options.port);
  const uiPort = options.uiPort === null ? null : await freePort(options.uiPort);
  const address = `127.0.0.1:${port}`;
  const server = await spawnSupervised({
    command: options.cli,
    args: [
      'server',
      'start-dev',
      ...['--ip', '127.0.0.1', '--port', String(port), '--log-level', 'error'],
      ...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]),
      ...(options.dbFile === undefined ? [] : ['--db-filename', options.dbFile]),
      ...options.searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ],
    env: { PATH: '/usr/bin:/bin', HOME: dirname(options.pidFile) },
    pidFile: options.pidFile,
  });
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (server.hasExited()) throw new Error(`Temporal ended while starting:\n${server.tail()}`);
    const healthy = await run(
      options.cli,
      ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', address, '--command-timeout', '5s'],
      { timeout: 10_000, env: { PATH: '/usr/bin:/bin', HOME: dirname(options.pidFile) } },
    ).then(
      () => true,
      () => false, // not yet: the loop has its own deadline
    );
    if (healthy) break;
    if (Date.now() > deadline) {
      await server.stop('SIGKILL', 1_000);
      throw new Error(`Temporal did not answer in 60 s:\n${server.tail()}`);
    }
  }
  return {
    address,
    uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}`,
    pid: server.pid,
    stop: () => server.stop('SIGTERM', 15_000),
  };
}
