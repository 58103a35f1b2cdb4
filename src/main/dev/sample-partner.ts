import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A partner's system on loopback, the sample's second destination: collapses by Idempotency-Key, answers 201 with an id,
 * and 422 for an order without items.
 */
export async function startSamplePartner(): Promise<{ url: string; close(): Promise<void> }> {
  const taken = new Set<string>();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      if (body.length < 65_536) body += chunk.toString('utf8');
    });
    request.on('end', () => {
      const key = String(request.headers['idempotency-key'] ?? '');
      const refused = /"items":\s*0\b/.test(body);
      const status = refused ? 422 : taken.has(key) ? 200 : 201;
      if (!refused) {
        if (taken.size >= 10_000) taken.clear();
        taken.add(key);
      }
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(refused ? { error: 'an order needs at least one item' } : { id: `partner-${key}` }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
