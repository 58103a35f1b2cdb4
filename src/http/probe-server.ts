import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { METRICS_PATH } from '../contract/probes-api.js';

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  /** What keeps the role from working, by part; empty when it is ready. Must answer within its own deadline. */
  readonly notReady: () => Promise<Readonly<Record<string, string>>>;
  /** What is wrong and keeps nobody from working: told beside a 200. Must answer within its own deadline. */
  readonly warnings?: () => Promise<readonly string[]>;
  /** Left out: they are not served here. */
  readonly metrics?: RenderMetrics;
}

/** Within its own deadline; never rejects. */
export type RenderMetrics = () => Promise<{ readonly contentType: string; readonly body: string }>;

export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `GET /live` (the process answers: 200), `GET /ready` (200, or 503 with each part that is not well) and `GET /metrics`, for
 * those who run it: none asks for a key.
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
    if (path === METRICS_PATH && options.metrics !== undefined) return answerMetrics(options.metrics, response);
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
  return listen(server, options);
}

/** `GET /metrics` alone, where they have a port of their own. */
export async function startMetricsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly metrics: RenderMetrics;
}): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    const served = request.method === 'GET' && request.url?.split('?')[0] === METRICS_PATH;
    if (served) return answerMetrics(options.metrics, response);
    response.writeHead(404, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify({ status: 'not found' }));
    return undefined;
  });
  return listen(server, options);
}

function answerMetrics(render: RenderMetrics, response: ServerResponse): void {
  render().then(
    ({ contentType, body }) => {
      response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
      response.end(body);
    },
    () => response.writeHead(500).end(), // nothing of it is half told
  );
}

/** Above the deadline of every answer here, which is what a connection waits for longest. */
const IDLE_MS = 15_000;

async function listen(server: Server, options: { readonly host: string; readonly port: number }): Promise<ProbeServer> {
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  server.maxConnections = 100;
  // An answer that is not read must not keep its connection for ever: probes and scrapes share them.
  server.setTimeout(IDLE_MS);
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
