import type { Server } from 'node:http';

/** What is open is cut: nobody waits for it. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
