/**
 * What the sample application did, by its own account, so that nothing the outbox says has to be believed: one line with
 * the ids before each COMMIT (`intent`) and one after it (`committed`) or after the ROLLBACK (`rolledBack`). A process
 * that dies between COMMIT and the second line leaves its events in doubt: they may stand or not.
 */
import { createReadStream } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { PartnerOrder } from './sample-partner.js';

/**
 * What must become of an event in the end: delivered at the first try, after answers that ask for another one, or after a
 * dead letter that was redriven.
 */
export type Expectation = 'delivered' | 'retried' | 'redriven';

export interface JournalEntry {
  readonly run: string;
  readonly at: number;
  readonly kind: 'intent' | 'committed' | 'rolledBack';
  readonly ids: readonly string[];
  readonly expect: Expectation;
  /** What its one event is to do at the partner's, where it goes there. */
  readonly partner?: PartnerOrder | undefined;
}

export interface Journal {
  write(entry: Omit<JournalEntry, 'run' | 'at'>): Promise<void>;
}

export function openJournal(file: string, run: string): Journal {
  return {
    write: (entry) => appendFile(file, `${JSON.stringify({ run, at: Date.now(), ...entry })}\n`),
  };
}

export interface JournalBooks {
  /** Committed ids, with the time after COMMIT (milliseconds) and what must become of them. */
  readonly committed: ReadonlyMap<string, JournalEntry>;
  readonly rolledBack: ReadonlyMap<string, JournalEntry>;
  readonly inDoubt: ReadonlySet<string>;
}

/** Reads the whole journal; a last line that was cut by a kill is left out (its intent stands on the line before). */
export async function readJournal(file: string): Promise<JournalBooks> {
  const committed = new Map<string, JournalEntry>();
  const rolledBack = new Map<string, JournalEntry>();
  const inDoubt = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const entry = parseLine(line);
    if (entry === null) continue;
    for (const id of entry.ids) {
      if (entry.kind === 'intent') inDoubt.add(id);
      else inDoubt.delete(id);
      if (entry.kind === 'committed') committed.set(id, entry);
      if (entry.kind === 'rolledBack') rolledBack.set(id, entry);
    }
  }
  return { committed, rolledBack, inDoubt };
}

function parseLine(line: string): JournalEntry | null {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return null; // cut by a kill
  }
}
