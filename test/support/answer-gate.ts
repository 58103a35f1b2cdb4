import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of the answers to POSTs of one path: they pass, are lost with their connection, or never come. */
export type GateMode = 'pass' | 'lose' | 'hold';

export interface AnswerGate {
  readonly url: string;
  /** For the next requests. */
  mode: GateMode;
  /** How many requests were answered behind the gate while their answer did not pass. */
  readonly kept: () => number;
  close(): Promise<void>;
}

/** Between a caller and a real server: every request gets there, and only answers can be lost. */
export async function openAnswerGate(target: string, path: string): Promise<AnswerGate> {
  let kept = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { mode } = gate;
    const { method = 'GET', url = '/', headers } = request;
    const { host: _, connection: __, ...passed } = headers as Record<string, string>;
    const answer = await fetch(new URL(url, target), {
      method,
      headers: { ...passed, connection: 'close' },
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    }).catch(() => null); // the server behind is away: so are we
    const body = answer === null ? null : Buffer.from(await answer.arrayBuffer());
    if (answer === null || body === null) return void response.destroy();
    if (mode !== 'pass' && url === path) {
      kept += 1;
      if (mode === 'lose') response.destroy();

      return;
    }
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const gate: AnswerGate = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mode: 'pass',
    kept: () => kept,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return gate;
}
