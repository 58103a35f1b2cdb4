import { createReadStream, existsSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

/** The routing key of the sample's second destination. */
export const SAMPLE_PARTNER_KEY = 'sample.partner';

/** What an export is to do at the partner's: one order with so many items. */
export interface PartnerOrder {
  readonly order: string;
  readonly items: number;
}

export interface LedgerEntry extends PartnerOrder {
  /** The Idempotency-Key, which is the event's id. */
  readonly key: string;
  /** `taken`: the effect. `again`: the same key once more, without effect. `refused`: an order without items. */
  readonly did: 'taken' | 'again' | 'refused';
}

/**
 * A partner's system on loopback, the sample's second destination: collapses by Idempotency-Key, answers 201 with an id, and
 * 422 for an order without items. Its ledger is a file of its own, written before the answer: what it did is known also
 * when the answer was lost, and it collapses also what came before a restart.
 */
export async function startSamplePartner(ledgerFile: string): Promise<{ url: string; close(): Promise<void> }> {
  const taken = new Set((await readLedger(ledgerFile)).filter(({ did }) => did === 'taken').map(({ key }) => key));
  const take = async (request: IncomingMessage): Promise<[number, object]> => {
    const key = String(request.headers['idempotency-key'] ?? '');
    const wanted = readOrder(await readBody(request));
    if (wanted === null) return [400, { error: 'expected an event with an aggregate and a number of items' }];
    const did = wanted.items === 0 ? 'refused' : taken.has(key) ? 'again' : 'taken';
    if (did === 'taken') taken.add(key);
    await appendFile(ledgerFile, `${JSON.stringify({ key, did, ...wanted } satisfies LedgerEntry)}\n`).catch(
      (error) => {
        if (did === 'taken') taken.delete(key); // it did not happen
        throw error;
      },
    );
    if (did === 'refused') return [422, { error: 'an order needs at least one item' }];
    return [did === 'taken' ? 201 : 200, { id: `partner-${key}` }];
  };
  const server = createServer(async (request, response) => {
    const [status, body] = await take(request).catch((): [number, object] => [503, { error: 'the ledger is away' }]);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
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

/** Everything that the partner did, in order; a last line that was cut by a kill is left out (it was never answered). */
export async function readLedger(file: string): Promise<LedgerEntry[]> {
  if (!existsSync(file)) return [];
  const entries: LedgerEntry[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const entry = parse(line) as LedgerEntry | null;
    if (entry !== null) entries.push(entry);
  }
  return entries;
}

const BODY_LIMIT = 65_536;

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > BODY_LIMIT) throw new Error(`expected at most ${BODY_LIMIT} characters`);
  }
  return body;
}

function readOrder(body: string): PartnerOrder | null {
  const event = parse(body) as { aggregate?: { id?: unknown }; payload?: { items?: unknown } } | null;
  const order = event?.aggregate?.id;
  const items = event?.payload?.items;
  return typeof order === 'string' && typeof items === 'number' ? { order, items } : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // not JSON: whoever reads it says what that means
  }
}
