/**
 * The producer's own account, so that nothing the outbox says has to be believed: a line with the events before each COMMIT
 * (`intent`), and one after it that says how it ended. Where COMMIT was sent and its answer was lost there is no second
 * line: its events are in doubt, they may stand or not, all of them or none.
 */
import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openDurableLines } from './durable-lines.js';
import { hashPayload, hashShown } from './payload-hash.js';
import type { ChaosEvent } from './ports.js';

export interface JournalEvent {
  readonly id: string;
  readonly routingKey: string;
  readonly eventType: string;
  readonly tenantId: string;
  /** Type and id of the aggregate, as one text. */
  readonly aggregate: string;
  readonly version: number | null;
  readonly hash: string;
  /** `hashShown`; null where the audit log may have to change the payload to hold it. */
  readonly shown: string | null;
  readonly expect: 'delivered' | 'dead' | 'either';
}

export type Fate = 'committed' | 'rolledBack' | 'inDoubt';

export interface JournalledEvent extends JournalEvent {
  readonly fate: Fate;
  /** Of one transaction: its events share it. */
  readonly tx: string;
  /** Milliseconds since the epoch: when the intent was written, and when the end was known; null in doubt. */
  readonly intentAt: number;
  readonly endedAt: number | null;
  /** The database's own name of the transaction. */
  readonly xid?: string | null;
  /** Of one in doubt: what the database knows of its transaction. Left out: it was not asked, or does not know. */
  readonly resolved?: 'committed' | 'aborted';
}

export interface ChaosJournal {
  readonly file: string;
  /** Before COMMIT. Resolves with the name of the transaction once the line is on the disk. `xid`: the database's name of it. */
  intend(events: readonly JournalEvent[], xid?: string | null): Promise<string>;
  end(tx: string, fate: 'committed' | 'rolledBack'): Promise<void>;
  close(): Promise<void>;
}

export async function openChaosJournal(file: string): Promise<ChaosJournal> {
  const lines = await openDurableLines(file);
  // Another writer of the same file, or this one after a restart, has transactions of its own.
  const writer = `${process.pid}-${Date.now().toString(36)}`;
  let count = 0;
  const write = (line: Line) => lines.write(JSON.stringify(line));
  return {
    file,
    async intend(events, xid = null) {
      count += 1;
      const tx = `${writer}-${count}`;
      await write({ tx, at: Date.now(), kind: 'intent', xid, events });
      return tx;
    },
    end: (tx, fate) => write({ tx, at: Date.now(), kind: fate }),
    close: () => lines.close(),
  };
}

/** What the journal has to know of an event that was given this id. */
export function toJournalEvent(id: string, event: ChaosEvent): JournalEvent {
  const { aggregate } = event;
  return {
    id: id.toLowerCase(),
    routingKey: event.routingKey,
    eventType: event.eventType,
    tenantId: event.tenantId,
    aggregate: `${aggregate.type}/${aggregate.id}`,
    version: aggregate.version ?? null,
    hash: hashPayload(event.payload),
    shown: fitsRecord(event.payload) ? hashShown(event.payload) : null,
    expect: event.expect ?? 'delivered',
  };
}

const MOST_CHARACTERS = 16_384;
const MOST_LEVELS = 8;

/** Within what the mapping never cuts, flattens or renames, so that the record's data must be the very same. */
function fitsRecord(payload: unknown): boolean {
  return isPlain(payload, MOST_LEVELS) && JSON.stringify(payload).length <= MOST_CHARACTERS;
}

function isPlain(value: unknown, levels: number): boolean {
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0 || Object.hasOwn(value, '__proto__') || Object.hasOwn(value, 'constructor')) return false;
  return Object.values(value).every((inner) => isPlain(inner, levels - 1));
}

/** Reads the whole journal, by id; a last line that was cut by a kill is left out (its intent stands on a line before). */
export async function readChaosJournal(file: string): Promise<Map<string, JournalledEvent>> {
  const events = new Map<string, JournalledEvent>();
  if (!existsSync(file)) return events;
  const open = new Map<string, Pick<Intent, 'at' | 'xid' | 'events'>>();
  for await (const text of createInterface({ input: createReadStream(file) })) {
    const line = parseLine(text);
    if (line === null) continue;
    const { tx, at } = line;
    if (line.kind === 'intent') {
      open.set(tx, { at, xid: line.xid ?? null, events: line.events });
      continue;
    }
    const intent = open.get(tx);
    open.delete(tx);
    for (const event of intent?.events ?? []) {
      const { xid = null } = intent ?? {};
      events.set(event.id, { ...event, fate: line.kind, tx, xid, intentAt: intent?.at ?? at, endedAt: at });
    }
  }
  for (const [tx, intent] of open) {
    for (const event of intent.events) {
      events.set(event.id, {
        ...event,
        fate: 'inDoubt',
        tx,
        xid: intent.xid ?? null,
        intentAt: intent.at,
        endedAt: null,
      });
    }
  }
  return events;
}

interface Intent {
  readonly tx: string;
  readonly at: number;
  readonly kind: 'intent';
  readonly xid?: string | null;
  readonly events: readonly JournalEvent[];
}

type Line = Intent | { readonly tx: string; readonly at: number; readonly kind: 'committed' | 'rolledBack' };

function parseLine(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null; // cut by a kill, or empty after a failed write
  }
}
