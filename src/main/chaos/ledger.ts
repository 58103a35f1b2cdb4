/**
 * The destination past the process boundary. Every request is in its file, flushed, before it is answered, so that what it did
 * is known also where the answer was lost. Collapses by Idempotency-Key: the first request of a key has the effect, each
 * later one is answered with the same receipt.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from './close-server.js';
import { openDurableLines } from './durable-lines.js';
import { hashPayload } from './payload-hash.js';
import type { Ledger, LedgerMode, LedgerRequest } from './ports.js';

export interface RunningLedger extends Ledger {
  /** For `httpHandler`'s `findUrl`, with `{id}` in it. */
  readonly findUrl: string;
  readonly port: number;
}

/** Events are at most 48 KiB, and a body is one event. */
const BODY_LIMIT = 1_048_576;

export async function startLedger(file: string, port = 0): Promise<RunningLedger> {
  const lines = await openDurableLines(file);
  const requests: LedgerRequest[] = [];
  const receipts = new Map<string, string>();
  const times = new Map<string, number>();
  let decide: Parameters<Ledger['mode']>[0] = () => ({ kind: 'take' });

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const key = String(request.headers['idempotency-key'] ?? '');
    const event = readEvent(await readBody(request));
    const n = (times.get(key) ?? 0) + 1;
    times.set(key, n);
    const mode: LedgerMode =
      event === null || key === ''
        ? { kind: 'status', status: 400, body: JSON.stringify({ error: 'expected an event and its Idempotency-Key' }) }
        : decide({ key, eventId: event.id, eventType: event.type, n });
    const noted = note({ key, event, mode, receipts, number: requests.length + 1 });
    requests.push(noted);
    await lines.write(JSON.stringify(noted));
    await answer(response, mode, noted);
  };
  const server = createServer((request, response) => {
    const work = request.method === 'GET' ? find(request, response, receipts) : take(request, response);
    // Cut by the caller or by a fault on the way; and a ledger that cannot write answers nothing.
    work.catch(() => response.destroy());
  });
  // A connection that the ledger's own side closes while idle would be a failure that no fault made.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  const own = (server.address() as AddressInfo).port;
  const url = `http://127.0.0.1:${own}/events`;
  return {
    url,
    findUrl: `${url}/{id}`,
    port: own,
    requests,
    mode(wanted) {
      decide = wanted;
    },
    async close() {
      await closeServer(server);
      await lines.close();
    },
  };
}

interface SentEvent {
  readonly id: string;
  readonly type: string;
  readonly tenantId: string;
  readonly payload: unknown;
}

interface Noting {
  readonly key: string;
  readonly event: SentEvent | null;
  readonly mode: LedgerMode;
  /** By key; the effect of this request is added. */
  readonly receipts: Map<string, string>;
  readonly number: number;
}

/** At once and not after the flush: a second request of the key may come while the line of the first is being written. */
function note({ key, event, mode, receipts, number }: Noting): LedgerRequest {
  const refused = mode.kind === 'status';
  const before = receipts.get(key);
  // Its number, so that the receipt of one effect is no other's.
  const receipt = refused ? null : (before ?? `effect-${number}`);
  if (receipt !== null) receipts.set(key, receipt);
  return {
    at: Date.now(),
    key,
    eventId: event?.id ?? '',
    tenant: event?.tenantId ?? '',
    payloadHash: hashPayload(event?.payload),
    did: refused ? 'refused' : before === undefined ? 'effect' : 'again',
    status: mode.kind === 'status' || mode.kind === 'odd' ? mode.status : before === undefined ? 201 : 200,
    receipt,
    heldMs: mode.kind === 'slow' ? mode.ms : 0,
  };
}

async function answer(response: ServerResponse, mode: LedgerMode, { status, receipt }: LedgerRequest): Promise<void> {
  if (mode.kind === 'lose') {
    response.socket?.destroy();
    return;
  }
  if (mode.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, mode.ms));
  if (response.destroyed) return; // whoever asked has given up
  const given = mode.kind === 'status' || mode.kind === 'odd' ? mode : null;
  response.writeHead(status, { 'content-type': 'application/json', ...given?.headers });
  response.end(given === null ? JSON.stringify({ id: receipt }) : (given.body ?? JSON.stringify({ error: 'refused' })));
}

async function find(
  request: IncomingMessage,
  response: ServerResponse,
  receipts: ReadonlyMap<string, string>,
): Promise<void> {
  const id = decodeURIComponent(new URL(request.url ?? '/', 'http://ledger').pathname.split('/').at(-1) ?? '');
  const receipt = receipts.get(id);
  response.writeHead(receipt === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(receipt === undefined ? { error: 'no effect of this key' } : { id: receipt }));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_LIMIT) throw new Error(`expected a body of at most ${BODY_LIMIT} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function readEvent(body: string): SentEvent | null {
  try {
    const { id, type, tenantId, payload } = JSON.parse(body) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof type !== 'string') return null;
    return { id, type, tenantId: typeof tenantId === 'string' ? tenantId : '', payload };
  } catch {
    return null; // not JSON: answered with 400
  }
}
