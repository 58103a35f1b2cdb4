import { type ErasedNote, formatAuditNote, MOST_ERASED } from '../../../domain/audit/audit-note.js';
import { signNote } from '../../../domain/audit/signed-note.js';
import type { LogKeys } from '../log/log-keys.js';
import { NOTE_TOOLS } from '../log/note-tools.js';
import type { Anchor } from '../log/ports.js';
import { findFailedOf, textOf } from './find-failed-of.js';
import type { EraseStore, FoundRecord, RecordPlace, SubjectOfTenant } from './ports.js';

export interface EraseSubjectDeps {
  readonly store: EraseStore;
  readonly keys: LogKeys;
  /** null: none is configured; a restore of a backup brings the erased back, and nobody is told. */
  readonly anchor: Pick<Anchor, 'put'> | null;
  readonly now: () => Date;
  /** A new UUIDv7. */
  readonly newId: () => string;
}

export interface EraseRequest extends SubjectOfTenant {
  /** 1 to 200 characters on one line: who says so. It stands in the signed note for ever. */
  readonly by: string;
  /** 1 to 1,000 characters on one line. For ever, too: nothing of the person belongs in it. */
  readonly reason: string;
}

export interface EraseOutcome {
  readonly records: number;
  /** Rows of `failed_ingest`: discarded, without their bodies. Their events will not be stored. */
  readonly failedIngest: number;
  readonly notes: number;
}

/** An index that knows no time gives all it has for each page: so that there are few pages. */
const PAGE = 10_000;

/**
 * Takes the content of a subject's records away, and leaves what proves the rest: the place in the log, the leaf's hash,
 * and a signed note that names both. The salt goes with the content, so that nobody can guess it by the hash. What could not
 * be stored and is open still goes, too, under notes that name its rows: a retry would bring the person back. Each note is
 * at the anchor before anything is erased: whoever restores a backup is told by it what to erase again. A crash in between
 * leaves a note whose records stand whole, which verification names; the same call erases them. Throws
 * StoreUnavailableError, AnchorUnavailableError, AuditNoteError for words that fit on no line.
 */
export function eraseSubject({ store, keys, anchor, now, newId }: EraseSubjectDeps) {
  return async ({ by, reason, ...of }: EraseRequest): Promise<EraseOutcome> => {
    const done = { records: 0, failedIngest: 0, notes: 0 };
    const erase = async (records: readonly FoundRecord[], failedIngestIds: readonly string[]) => {
      const head = { log: keys.base, time: now().toISOString(), by, reason };
      const note: ErasedNote = { kind: 'erased', ...head, records, failedIngestIds };
      const signed = signNote(NOTE_TOOLS, formatAuditNote(note), keys.signers);
      await anchor?.put({ kind: 'erased', origin: keys.base, size: 0, note: signed });
      const erased = await store.erase({ noteId: newId(), note: signed, records, failedIngestIds, by, reason });
      done.records += erased.records;
      done.failedIngest += erased.failedIngest;
      done.notes += 1;
    };
    let before: number;
    // Again until there was nothing: behind a place that has been passed a transaction may have ended late.
    do {
      before = done.records + done.failedIngest;
      // Before the records: what is retried meanwhile is found among them.
      for await (const ids of findFailedOf(store, of, MOST_ERASED)) await erase([], ids);
      for await (const records of findRecords(store, of)) {
        // They are found by their records alone: what one note does not hold goes before these, the rest with them.
        const under = [...(await store.findFailedUnder(records))];
        while (under.length > MOST_ERASED) await erase([], under.splice(0, MOST_ERASED));
        await erase(records, under);
      }
    } while (done.records + done.failedIngest > before);
    return done;
  };
}

/** What `eraseSubject` would erase, and how many open rows name the subject without being its own: for a person to look at. */
export async function countSubject(
  store: EraseStore,
  of: SubjectOfTenant,
): Promise<{ records: number; failedIngest: number; failedIngestNaming: number }> {
  const own = new Set<string>();
  for await (const ids of findFailedOf(store, of, MOST_ERASED)) for (const id of ids) own.add(id);
  const naming = of.subject.kind === 'actor' || of.subject.kind === 'target';
  const all = naming ? await store.countFailedWith(of.tenantId, textOf(of.subject)) : own.size;
  const failedIngestNaming = all - own.size;
  let records = 0;
  for await (const page of findRecords(store, of)) {
    records += page.length;
    for (const id of await store.findFailedUnder(page)) own.add(id);
  }
  return { records, failedIngest: own.size, failedIngestNaming };
}

/** Page by page behind the last place, so that nothing is looked at twice, in lists of as many as a note holds. */
async function* findRecords(
  store: Pick<EraseStore, 'find'>,
  of: SubjectOfTenant,
): AsyncGenerator<readonly FoundRecord[]> {
  let after: RecordPlace | null = null;
  do {
    const page = await store.find(of, after, PAGE);
    for (let at = 0; at < page.length; at += MOST_ERASED) yield page.slice(at, at + MOST_ERASED);
    after = page.length < PAGE ? null : (page.at(-1) ?? null);
  } while (after !== null);
}
