import { StartRefusedError } from './start-refused-error.js';

/** A port that cannot be listened on is a matter of the configuration: says which variable to change. */
export function explainListen(error: unknown, variable: string): unknown {
  const { syscall, message } = error as { syscall?: unknown; message?: string };
  if (syscall !== 'listen') return error;
  return new StartRefusedError(
    `${message}: set ${variable} or OUTBOX_HOST to what is free on this machine (0: any port)`,
    {
      cause: error,
    },
  );
}
