import { createReadStream, existsSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

/** The routing key of the sample's second destination. */
export const SAMPLE_PARTNER_KEY = 'sample.partner';

/** How the partner is to fail at an order, on purpose. */
export interface Rehearsal {
  /** So many times 503 at first. */
  readonly busy?: number;
  /** 422 until it is mended for this order. */
  readonly refuse?: boolean;
}

/** What an export is to do at the partner's: one order with so many items. */
export interface PartnerOrder extends Rehearsal {
  readonly order: string;
  readonly items: number;
}

export interface LedgerEntry {
  /** The Idempotency-Key, which is the event's id. */
  readonly key: string;
  /**
   * `taken`: the effect. `again`: the same key once more, without effect. `busy` and `refused`: 503 and 422, as rehearsed.
   * `mended`: from here on this order is not refused.
   */
  readonly did: 'taken' | 'again' | 'busy' | 'refused' | 'mended';
  readonly order?: string;
  readonly items?: number;
}

export interface SamplePartner {
  readonly url: string;
  /** Its people mend what they refuse these orders for. */
  mend(keys: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * A partner's system on loopback, the sample's second destination: collapses by Idempotency-Key, answers 201 with an id, and
 * fails at orders that say so. Its ledger is a file of its own, written before the answer: what it did is known also
 * when the answer was lost, and it goes on with it after a restart.
 */
export async function startSamplePartner(ledgerFile: string): Promise<SamplePartner> {
  const seen = new Map<string, Seen>();
  for (const entry of await readLedger(ledgerFile)) note(seen, entry);
  const write = async (entry: LedgerEntry) => {
    // Noted at once: a second request for the same key comes while this line is being written.
    const before = note(seen, entry);
    await appendFile(ledgerFile, `${JSON.stringify(entry)}\n`).catch((error) => {
      seen.set(entry.key, before); // it did not happen
      throw error;
    });
  };
  const take = async (request: IncomingMessage): Promise<[number, object]> => {
    const key = String(request.headers['idempotency-key'] ?? '');
    const wanted = readOrder(await readBody(request));
    if (wanted === null) return [400, { error: 'expected an event with an aggregate and a number of items' }];
    const did = decide(seen.get(key) ?? UNSEEN, wanted);
    await write({ key, did, order: wanted.order, items: wanted.items });
    if (did === 'busy') return [503, { error: 'too busy for this order just now' }];
    if (did === 'refused') return [422, { error: 'this order fits no warehouse that is known here' }];
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
    async mend(keys) {
      for (const key of keys) if (seen.get(key)?.mended !== true) await write({ key, did: 'mended' });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What the ledger says of one key. */
interface Seen {
  readonly taken: boolean;
  readonly busy: number;
  readonly mended: boolean;
}
const UNSEEN: Seen = { taken: false, busy: 0, mended: false };

/** Returns what was known before. */
function note(seen: Map<string, Seen>, { key, did }: LedgerEntry): Seen {
  const before = seen.get(key) ?? UNSEEN;
  seen.set(key, {
    taken: before.taken || did === 'taken',
    busy: before.busy + (did === 'busy' ? 1 : 0),
    mended: before.mended || did === 'mended',
  });
  return before;
}

function decide({ taken, busy, mended }: Seen, wanted: PartnerOrder): LedgerEntry['did'] {
  if (taken) return 'again';
  if (busy < (wanted.busy ?? 0)) return 'busy';
  return wanted.refuse === true && !mended ? 'refused' : 'taken';
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
  const event = parse(body) as {
    aggregate?: { id?: unknown };
    payload?: { items?: unknown; rehearse?: Rehearsal };
  } | null;
  const order = event?.aggregate?.id;
  const items = event?.payload?.items;
  if (typeof order !== 'string' || typeof items !== 'number') return null;
  return { order, items, ...event?.payload?.rehearse };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // not JSON: whoever reads it says what that means
  }
}
