import type { Logger } from '../application/delivery/ports.js';

export interface RunningRoles {
  /** Stops claiming, finishes what is under way, closes. */
  stop(): Promise<void>;
  /** Rejects when a part ended by itself; never resolves. */
  readonly failed: Promise<never>;
}

/** SIGINT and SIGTERM, heard by one pair of listeners from the first step of a start to the end of the stop. */
export interface Signals {
  /** Aborts at a signal that comes before `started`. */
  readonly whileStarting: AbortSignal;
  /** The first signal, whenever it comes. */
  readonly first: Promise<NodeJS.Signals>;
  /** From now on a signal asks for the stop of what runs. */
  started(): void;
  /** From now on a signal ends the process at once. */
  stopping(): void;
  release(): void;
}

/**
 * Call it before anything is started, release it when everything has stopped. Listeners are not exchanged on the way: a
 * signal that the process has received but not yet looked at is dropped by Node.js (libuv's uv_signal_stop) with the
 * listener that it came for. A second signal ends the process at once.
 */
export function watchSignals(): Signals {
  const starting = new AbortController();
  let state: 'starting' | 'running' | 'stopping' = 'starting';
  let tell: (name: NodeJS.Signals) => void;
  const first = new Promise<NodeJS.Signals>((resolve) => {
    tell = resolve;
  });
  const onSignal = (name: NodeJS.Signals) => {
    if (state === 'stopping') process.exit(name === 'SIGINT' ? 130 : 143);
    if (state === 'starting') starting.abort(new Error(`${name} while starting`));
    state = 'stopping';
    tell(name);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    whileStarting: starting.signal,
    first,
    started: () => {
      if (state === 'starting') state = 'running';
    },
    stopping: () => {
      state = 'stopping';
    },
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/**
 * Keeps the process up until SIGINT or SIGTERM (also one that came while starting), then stops the roles in order and
 * returns the exit code: 0 when they stopped within the grace, 1 when they did not or a part failed.
 */
export async function runUntilSignal(
  roles: RunningRoles,
  options: { signals: Signals; graceMs: number; log: Logger },
): Promise<number> {
  const { log, signals } = options;
  let code = 0;
  const failed = roles.failed.catch((error: unknown) => {
    code = 1;
    log.error({ err: error }, 'process.failed');
    return 'failure' as const;
  });
  const signal = await Promise.race([signals.first, failed]);
  signals.stopping();
  log.info({ signal, graceMs: options.graceMs }, 'process.stopping');

  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), options.graceMs);
  });
  const ended = await Promise.race([roles.stop().then(() => 'stopped' as const), late]).catch((error: unknown) => {
    log.error({ err: error }, 'process.stop_failed');
    return 'failed' as const;
  });
  clearTimeout(timer);
  if (ended !== 'stopped') code = 1;
  log.info({ signal, ended, code }, 'process.stopped');
  // Something still holds the process (a server that does not answer, a part that would not close): the grace is over.
  if (ended !== 'stopped') process.exit(code);
  endSoon(code, log);
  return code;
}

const LEFT_OPEN_MS = 1_000;

/** Ends a process that a handler's own pool, client or timer holds: nobody closes them. Where nothing does, it ends by itself. */
function endSoon(code: number, log: Logger): void {
  const end = () => {
    log.warn({ open: [...new Set(process.getActiveResourcesInfo())] }, 'process.ended_with_open_resources');
    process.exit(code);
  };
  setTimeout(end, LEFT_OPEN_MS).unref();
}
