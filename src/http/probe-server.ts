import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  /** What keeps the role from working, by part; empty when it is ready. Must answer within its own deadline. */
  readonly notReady: () => Promise<Readonly<Record<string, string>>>;
  /** What is wrong and keeps nobody from working: told beside a 200. Must answer within its own deadline. */
  readonly warnings?: () => Promise<readonly string[]>;
}

export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `GET /live` (the process answers: 200) and `GET /ready` (200, or 503 with each part that is not well), for roles that
 * serve nothing else.
 */
export async function startProbeServer(options: ProbeOptions): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      response.end(JSON.stringify(body));
    };
    if (request.method !== 'GET') return answer(405, { status: 'method not allowed' });
    if (path === '/live') return answer(200, { status: 'live' });
    if (path !== '/ready') return answer(404, { status: 'not found' });
    const { notReady, warnings: findWarnings = async () => [] } = options;
    Promise.all([notReady(), findWarnings()]).then(
      ([problems, warnings]) =>
        answer(Object.keys(problems).length === 0 ? 200 : 503, {
          status: Object.keys(problems).length === 0 ? 'ready' : 'not ready',
          problems,
          ...(warnings.length === 0 ? {} : { warnings }),
        }),
      () => answer(503, { status: 'not ready', problems: { probe: 'the check itself failed' } }),
    );
    return undefined;
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
