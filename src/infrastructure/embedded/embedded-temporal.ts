/**
 * A Temporal development server with its Web UI, on a database file: what ran before a stop or a kill goes on after the
 * next start. For development and tests only.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { endLeftover, type SupervisedProcess, spawnSupervised } from './child-process.js';
import { freePort, onFreePort } from './free-port.js';

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
  /** Keys of the server's dynamic configuration, their values as JSON. */
  readonly dynamicConfig?: Readonly<Record<string, string>>;
  /** Gives up the start; what was started of it is stopped. */
  readonly signal?: AbortSignal;
  /** Told of each process as it starts, long before it is ready. */
  readonly onSpawn?: (pid: number) => void;
  readonly note?: (line: string) => void;
}

export interface EmbeddedTemporal {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly pid: number;
  stop(): Promise<void>;
  /** Rejects with a sentence when the server ended although nobody stopped it; never resolves. */
  readonly failed: Promise<never>;
}

const READY_WITHIN_MS = 60_000;

export async function startEmbeddedTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  await mkdir(dirname(options.pidFile), { recursive: true });
  if (await endLeftover(options.pidFile, 'SIGTERM', 10_000)) {
    options.note?.('ended the Temporal server that an earlier start left running');
  }
  return onFreePort(options.port, async (port) => {
    const uiPort = options.uiPort === null ? null : await freePort(options.uiPort, port);
    const address = `127.0.0.1:${port}`;
    const server = await spawnSupervised({
      title: 'Temporal',
      command: options.cli,
      args: [
        'server',
        'start-dev',
        ...['--ip', '127.0.0.1', '--port', String(port), '--log-level', 'error'],
        ...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort)]),
        ...(options.dbFile === undefined ? [] : ['--db-filename', options.dbFile]),
        ...options.searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
        ...Object.entries(options.dynamicConfig ?? {}).flatMap((of) => ['--dynamic-config-value', of.join('=')]),
      ],
      env: environmentOf(options),
      pidFile: options.pidFile,
      ...(options.onSpawn && { onSpawn: options.onSpawn }),
    });
    try {
      await waitUntilHealthy(options, address, server);
    } catch (error) {
      await server.stop('SIGTERM', 5_000);
      throw error;
    }
    return {
      address,
      uiUrl: uiPort === null ? null : `http://127.0.0.1:${uiPort}`,
      pid: server.pid,
      stop: () => server.stop('SIGTERM', 15_000),
      failed: server.failed,
    };
  });
}

async function waitUntilHealthy(options: EmbeddedTemporalOptions, address: string, server: SupervisedProcess) {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    options.signal?.throwIfAborted();
    const healthy = await run(
      options.cli,
      ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', address, '--command-timeout', '5s'],
      {
        timeout: 10_000,
        env: environmentOf(options),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
    ).then(
      () => true,
      () => false, // not yet: the loop has its own deadline
    );
    // Looked at last: what answered may be another's server, which was quicker on the port.
    if (server.hasExited()) throw new Error(`Temporal ended while starting:\n${server.tail()}`);
    if (healthy) return;
    if (Date.now() > deadline) throw new Error(`Temporal did not answer in 60 s:\n${server.tail()}`);
  }
}

/** Nothing of the user's own Temporal settings reaches the server or the question to it. */
function environmentOf({ pidFile }: EmbeddedTemporalOptions): NodeJS.ProcessEnv {
  return { PATH: '/usr/bin:/bin', HOME: dirname(pidFile) };
}
