import { createServer } from 'node:net';

/**
 * The first port from `wanted` on that can be bound on the loopback address, but not `except`; tries 50.
 * `wanted` 0: any free one.
 */
export async function freePort(wanted: number, except?: number): Promise<number> {
  const tries = wanted === 0 ? 1 : 50;
  for (let port = wanted; port < wanted + tries; port += 1) {
    const bound = await tryBind(port);
    if (bound !== null && bound !== except) return bound;
  }
  throw new Error(`no free port from ${wanted} to ${wanted + tries - 1}: end what holds them, or name another port`);
}

function tryBind(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : null;
      server.close(() => resolve(bound));
    });
  });
}

const TRIES = 5;

/**
 * Starts on the first free port from `wanted` on, and looks again when somebody else took it in the moment before the
 * server could: then the error's message says so, in the words of the operating system.
 */
export async function onFreePort<T>(wanted: number, start: (port: number) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start(await freePort(wanted));
    } catch (error) {
      const taken = error instanceof Error && /address already in use/i.test(error.message);
      if (!taken || tries === TRIES) throw error;
    }
  }
}
