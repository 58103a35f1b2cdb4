import type { Logger } from 'pino';

/**
 * What nobody caught, as a line of the log: Node would print it past logger and redactor, with the source line.
 *
 * A promise that a handler let go and that rejects ends nothing: one careless handler must not stop the attempts of all
 * others, and a part of our own that fails tells so by `failed`. A thrown error that nobody caught does: nothing is known
 * of the state it left. It rejects `failed`, so that the roles stop in order; before they run, it ends the process.
 */
export function watchProcessErrors(log: Logger): {
  /** Never resolves. */
  readonly failed: Promise<never>;
  /** From now on somebody hears `failed`. */
  heard(): void;
  release(): void;
} {
  let heard = false;
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {}); // raced by whoever runs the roles
  const onRejection = (reason: unknown) => log.error({ err: toError(reason) }, 'process.unhandled_rejection');
  const onException = (error: unknown) => {
    log.fatal({ err: toError(error) }, 'process.uncaught_exception');
    if (!heard) process.exit(1);
    fail(error);
  };
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  return {
    failed,
    heard: () => {
      heard = true;
    },
    release: () => {
      process.off('unhandledRejection', onRejection);
      process.off('uncaughtException', onException);
    },
  };
}

/** Anything may be thrown. */
function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(typeof thrown === 'string' ? thrown : 'no error was thrown');
}
