import type { Logger } from '../application/delivery/ports.js';

export interface RunningRoles {
  /** Stops claiming, finishes what is under way, closes. */
  stop(): Promise<void>;
  /** Rejects when a part ended by itself; never resolves. */
  readonly failed: Promise<never>;
}

/**
 * Keeps the process up until SIGINT or SIGTERM, then stops the roles in order and returns the exit code: 0 when they
 * stopped within the grace, 1 when they did not or a part failed. A second signal ends the process at once.
 */
export async function runUntilSignal(roles: RunningRoles, options: { graceMs: number; log: Logger }): Promise<number> {
  const { log } = options;
  let code = 0;
  const signal = await new Promise<string>((resolve) => {
    const onSignal = (name: NodeJS.Signals) => resolve(name);
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    roles.failed.catch((error: unknown) => {
      code = 1;
      log.error({ err: error }, 'process.failed');
      resolve('failure');
    });
  });
  const atOnce = (name: NodeJS.Signals) => process.exit(name === 'SIGINT' ? 130 : 143);
  process.on('SIGINT', atOnce);
  process.on('SIGTERM', atOnce);
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

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process. For what waits before the roles run. */
export function abortOnSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    controller.abort(new Error(`${name} while starting`));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
