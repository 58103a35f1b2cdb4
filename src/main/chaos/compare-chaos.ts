/**
 * The oracle of a chaos run: the producer's journal, the destination's ledger and the databases' rows, held against each
 * other id by id. Believes none of them more than the others. Pure.
 */
import type { BookLetter, BookRecord, BookRow, Books } from './books.js';
import type { JournalledEvent } from './chaos-journal.js';
import { compareAttempts } from './compare-attempts.js';
import { compareEffects, compareMisfits } from './compare-effects.js';
import { compareLetters } from './compare-letters.js';
import { compareOrder } from './compare-order.js';
import { createFinder, type Finder, type Findings } from './findings.js';
import type { ChaosWorld, LedgerRequest } from './ports.js';

export interface ChaosAccounts {
  readonly journal: ReadonlyMap<string, JournalledEvent>;
  /** In the order in which they came. */
  readonly requests: readonly LedgerRequest[];
  readonly books: Books;
  readonly notices: ChaosWorld['notices']['received'];
}

/** Counts are of events, of those that stand. */
export interface ChaosComparison extends Findings {
  readonly committed: number;
  readonly rolledBack: number;
  /** COMMIT was not answered: those that stand, which are counted in what follows, too, and those that do not. */
  readonly inDoubt: {
    readonly stand: number;
    readonly gone: number;
    /** Of those that are gone: where nothing but the missing row says that their transaction rolled back. */
    readonly unresolved: number;
  };
  readonly delivered: number;
  readonly dead: number;
  readonly discarded: number;
  readonly open: number;
  /** What the destinations saw more than once and collapsed: requests of the ledger, receipts of the audit log. */
  readonly duplicates: {
    readonly ledger: number;
    readonly audit: number;
    /** Those of either whose event has no failed attempt: nothing that was lost or unanswered explains them. */
    readonly unexplained: number;
    /** Beside those: of events that a batch delivered. What failed of it before leaves no row of theirs. */
    readonly carried: number;
  };
  /** Events that may die as well as be delivered, and by code what those of them died of that did: how much of a run is not judged. */
  readonly either: { readonly events: number; readonly deadOf: Readonly<Record<string, number>> };
  /** Dead letters whose effect stands all the same, and whose destination is to be asked again. */
  readonly effectsToAsk: number;
  readonly untold: number;
}

/** What all the accounts say of the events, by id. */
export interface Indexed extends ChaosAccounts {
  readonly requestsOf: ReadonlyMap<string, readonly LedgerRequest[]>;
  readonly recordsOf: ReadonlyMap<string, readonly BookRecord[]>;
  readonly lettersOf: ReadonlyMap<string, readonly BookLetter[]>;
}

export function compareChaos(accounts: ChaosAccounts): ChaosComparison {
  const { journal, requests, books } = accounts;
  const all: Indexed = {
    ...accounts,
    requestsOf: Map.groupBy(requests, ({ eventId }) => eventId),
    recordsOf: Map.groupBy(books.records, ({ eventId }) => eventId),
    lettersOf: Map.groupBy(books.letters, ({ eventId }) => eventId),
  };
  const finder = createFinder();
  const counts = { committed: 0, rolledBack: 0, delivered: 0, dead: 0, discarded: 0, open: 0, effectsToAsk: 0 };
  const inDoubt = { stand: 0, gone: 0, unresolved: 0 };
  const duplicates = { ledger: 0, audit: 0, unexplained: 0, carried: 0 };
  const either = { events: 0, deadOf: {} as Record<string, number> };

  for (const event of journal.values()) {
    const row = books.rows.get(event.id);
    if (event.fate === 'committed') counts.committed += 1;
    if (event.fate === 'rolledBack') counts.rolledBack += 1;
    if (event.fate === 'inDoubt') inDoubt[row === undefined ? 'gone' : 'stand'] += 1;
    if (event.fate === 'inDoubt' && row === undefined) {
      if (event.resolved === undefined) inDoubt.unresolved += 1;
      if (event.resolved === 'committed') {
        finder.say(
          'I1',
          event.id,
          'expected its row, for the database says that it committed; the outbox has none',
          'lost',
        );
        continue;
      }
    }
    if (event.resolved === 'aborted' && row !== undefined) {
      finder.say('I3', event.id, 'expected nothing, for the database says that it aborted; came its row', 'phantom');
    }
    if (event.fate === 'rolledBack' || (event.fate === 'inDoubt' && row === undefined)) {
      sayPhantom(
        event.id,
        event.fate === 'rolledBack' ? 'was rolled back' : 'does not stand in the outbox',
        all,
        finder,
      );
      continue;
    }
    if (row === undefined) {
      finder.say('I1', event.id, 'expected its row, for it was committed; the outbox has none', 'lost');
      continue;
    }
    compareRow(event, row, finder);
    const { delivery } = row;
    if (delivery === null) continue;
    if (delivery.status === 'DELIVERED') counts.delivered += 1;
    else if (delivery.status === 'DEAD') counts.dead += 1;
    else if (delivery.status === 'DISCARDED') counts.discarded += 1;
    else counts.open += 1;
    const letters = all.lettersOf.get(event.id) ?? [];
    compareState(event, row, letters, finder);
    if (event.expect === 'either') {
      either.events += 1;
      const code = letters.find(({ state }) => state === 'open')?.code;
      if (delivery.status === 'DEAD' && code !== undefined) either.deadOf[code] = (either.deadOf[code] ?? 0) + 1;
    }
    const seen = compareEffects(event, row, all, finder);
    const replayed = event.routingKey === 'audit.log' && delivery.replayed ? 1 : 0;
    duplicates.ledger += seen.again;
    duplicates.audit += replayed;
    if (Object.keys(delivery.failures).length === 0) {
      duplicates[delivery.carried ? 'carried' : 'unexplained'] += seen.again + replayed;
    }
    if (seen.toAsk) counts.effectsToAsk += 1;
  }
  compareDoubts(all, finder);
  compareStrangers(all, finder);
  compareMisfits(all, finder);
  compareAttempts(books, all.lettersOf, finder);
  compareOrder(all, finder);
  const untold = compareLetters(all, finder);
  return { ...counts, inDoubt, duplicates, either, untold, ...findingsOf(finder) };
}

/** I1: what was appended stands there as it was appended. */
function compareRow(event: JournalledEvent, row: BookRow, { say }: Finder): void {
  const pairs: readonly [string, unknown, unknown][] = [
    ['tenant', event.tenantId, row.tenantId],
    ['routing key', event.routingKey, row.routingKey],
    ['type', event.eventType, row.eventType],
    ['aggregate', event.aggregate, row.aggregate],
    ['version', event.version, row.version],
    ['payload', event.hash, row.payloadHash],
    ['destination of its delivery', event.routingKey, row.delivery?.destination ?? event.routingKey],
    ['tenant of its delivery', event.tenantId, row.delivery?.tenant ?? event.tenantId],
  ];
  for (const [what, wanted, came] of pairs) {
    if (wanted !== came) say('I1', event.id, `${what}: expected ${wanted}, as it was appended; its row has ${came}`);
  }
  if (row.delivery === null) say('I1', event.id, 'expected one delivery row, came none', 'lost');
}

/** I1: delivered, or dead with one open letter, and that only where something wanted it. Nobody of a run discards. */
function compareState(event: JournalledEvent, row: BookRow, letters: readonly BookLetter[], { say }: Finder): void {
  const status = row.delivery?.status ?? 'PENDING';
  const open = letters.filter(({ state }) => state === 'open').length;
  const wanted = status === 'DEAD' ? 1 : 0;
  if (open !== wanted) say('I1', event.id, `${status}: expected ${wanted} open dead letters, came ${open}`);
  if (status === 'PENDING' || status === 'STARTED') {
    say('I1', event.id, `expected an end, came ${status}; ${row.delivery?.hangs ?? 'nothing more is known'}`, 'lost');
  }
  if (status === 'DEAD' && event.expect === 'delivered') {
    const codes = letters.map(({ code, epoch }) => `${code} in epoch ${epoch}`).join(', ');
    say('I1', event.id, `expected its delivery, came DEAD (${codes || 'no letter'})`);
  }
  if (status === 'DISCARDED') say('I1', event.id, 'expected its delivery or its letter, came DISCARDED');
  if (status === 'DELIVERED' && event.expect === 'dead') say('I1', event.id, 'expected a dead letter, came DELIVERED');
}

/** I3: nothing anywhere of what does not stand. */
function sayPhantom(id: string, why: string, all: Indexed, { say }: Finder): void {
  const found: readonly [number, string][] = [
    [all.books.rows.has(id) ? 1 : 0, 'rows in the outbox'],
    [all.requestsOf.get(id)?.length ?? 0, 'requests at the ledger'],
    [all.recordsOf.get(id)?.length ?? 0, 'audit records'],
    [all.lettersOf.get(id)?.length ?? 0, 'dead letters'],
  ];
  for (const [count, what] of found) {
    if (count > 0) say('I3', id, `expected nothing, for it ${why}; came ${count} ${what}`, 'phantom');
  }
}

/** I3: a transaction whose end nobody knows stands whole or not at all. */
function compareDoubts({ journal, books }: Indexed, { say }: Finder): void {
  const doubts = Map.groupBy(
    [...journal.values()].filter(({ fate }) => fate === 'inDoubt'),
    ({ tx }) => tx,
  );
  for (const [tx, events] of doubts) {
    const gone = events.filter(({ id }) => !books.rows.has(id)).map(({ id }) => id);
    if (gone.length === 0 || gone.length === events.length) continue;
    const what = `expected all ${events.length} events or none, came all but ${gone.join(', ')}`;
    say('I3', `transaction ${tx}`, what, 'phantom');
  }
}

/** Events of the outbox itself, which tell the audit log what was done with dead letters. */
const OWN_EVENTS = 'outbox.';

/** I3: what no producer appended. Of the outbox's own events only this is known: they end, and have one record. */
function compareStrangers(all: Indexed, finder: Finder): void {
  const { journal, books } = all;
  for (const row of books.rows.values()) {
    if (journal.has(row.id)) continue;
    if (!row.eventName.startsWith(OWN_EVENTS)) {
      finder.say('I3', row.id, 'expected nothing, for no producer appended it; came a row in the outbox', 'phantom');
      continue;
    }
    if (all.requestsOf.has(row.id)) finder.say('I1', row.id, `${row.eventName}: expected nothing at the ledger of it`);
    const records = all.recordsOf.get(row.id)?.length ?? 0;
    const status = row.delivery?.status ?? 'no delivery row';
    if (status === 'DELIVERED' && records === 1) continue;
    // With its letter it is not lost, but nothing of a run refuses what goes to the audit log.
    const lettered = status === 'DEAD' && records === 0 && all.lettersOf.has(row.id);
    const kind = records > 1 ? 'doubled' : lettered ? undefined : 'lost';
    finder.say('I1', row.id, `${row.eventName}: expected one audit record, came ${status} with ${records}`, kind);
  }
  const ids = new Set([...all.requestsOf.keys(), ...all.recordsOf.keys(), ...all.lettersOf.keys()]);
  for (const id of ids) {
    if (!journal.has(id) && !books.rows.has(id)) sayPhantom(id, 'was appended by no producer', all, finder);
  }
}

function findingsOf({ lost, doubled, phantoms, violations }: Finder): Findings {
  return { lost, doubled, phantoms, violations };
}
