import { StartRefusedError } from './start-refused-error.js';

/** A port that cannot be listened on is a matter of the configuration: says which variable to change. */
export function explainListen(error: unknown, variable: string): unknown {
  const { syscall, message, code, address, port } = error as Partial<
    Record<'syscall' | 'message' | 'code' | 'address' | 'port', unknown>
  >;
  if (syscall !== 'listen') return error;
  const what = code === 'EADDRINUSE' ? `port ${port} on ${address} is taken` : String(message);
  const also = variable === 'OUTBOX_API_PORT' ? ', and OUTBOX_AUDIT_URL of the worker to the same' : '';
  return new StartRefusedError(
    `${what}: set ${variable} or OUTBOX_HOST to what is free on this machine (0: any port)${also}`,
    {
      cause: error,
    },
  );
}
