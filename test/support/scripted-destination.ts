import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly key: string;
  readonly body: string;
}

export interface ScriptedDestination {
  readonly url: string;
  /** Every request, in the order in which they came. */
  readonly seen: SeenRequest[];
  /** Of each of them, in the same order; undefined: it had none. */
  readonly traceparents: readonly unknown[];
  /** What to do with the next requests; default: 201 with an id. */
  answer(script: (request: SeenRequest, response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** A destination past the process boundary, for httpHandler: remembers what came, answers as told. Port 0: any free one. */
export async function startScriptedDestination(port = 0): Promise<ScriptedDestination> {
  const seen: SeenRequest[] = [];
  const traceparents: unknown[] = [];
  let script = accept;
  const server = createServer((request: IncomingMessage, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8');
    });
    request.on('end', () => {
      const one = { key: String(request.headers['idempotency-key']), body };
      traceparents.push(request.headers.traceparent);
      seen.push(one);
      script(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    seen,
    traceparents,
    answer: (next) => {
      script = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function accept(request: SeenRequest, response: ServerResponse): void {
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id: `r-${request.key}` }));
}
