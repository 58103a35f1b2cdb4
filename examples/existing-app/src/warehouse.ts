/**
 * The destination, somebody else's system in real life: ships once for each Idempotency-Key, says so again when asked again.
 * GET /shipments shows what it did and how many requests it took.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Shipment } from './warehouse-handler.ts';

const shipped = new Map<string, Shipment>();
let posts = 0;

const server = createServer(async (request, response) => {
  const answer = (status: number, body: object) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const [, root, id] = request.url?.split('/') ?? [];
  if (root !== 'shipments') return answer(404, {});
  if (request.method === 'GET' && id === undefined) return answer(200, { posts, shipped: Object.fromEntries(shipped) });
  if (request.method === 'GET') return answer(shipped.has(id as string) ? 200 : 404, { shipmentId: `shipment-${id}` });

  posts += 1;
  const key = String(request.headers['idempotency-key']);
  const known = shipped.has(key);
  if (!known) shipped.set(key, JSON.parse(await textOf(request)));
  return answer(known ? 200 : 201, { shipmentId: `shipment-${key}` });
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

server.listen(Number(process.env.WAREHOUSE_PORT ?? 4100), '127.0.0.1', () =>
  console.log(`warehouse: http://127.0.0.1:${(server.address() as AddressInfo).port}/shipments`),
);
