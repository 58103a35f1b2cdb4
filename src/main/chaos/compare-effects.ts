/** I1 and I2 at the destinations: one effect of each delivered event, and the very event that was appended. */
import type { BookRow } from './books.js';
import { LEDGER_KEY } from './chaos-config.js';
import type { JournalledEvent } from './chaos-journal.js';
import type { Indexed } from './compare-chaos.js';
import type { Finder } from './findings.js';
import type { LedgerRequest } from './ports.js';

/** The audit log's own books: each record has its identity, and nothing that was sent is still waiting to be stored. */
export function compareMisfits({ books }: Indexed, { say }: Finder): void {
  for (const { eventId, kind, code } of books.misfits) {
    if (kind === 'not stored')
      say('I1', eventId, `expected its record, the audit log kept it unstored (${code})`, 'lost');
    else if (kind === 'key without record') say('I1', eventId, 'expected a record of its identity, came none', 'lost');
    else say('I2', eventId, 'expected an identity of its record, which keeps a second one out; came none');
  }
}

export interface SeenEffects {
  /** Requests that the ledger collapsed. */
  readonly again: number;
  /** Dead, with an effect that is still to be found out. */
  readonly toAsk: boolean;
}

export function compareEffects(event: JournalledEvent, row: BookRow, all: Indexed, finder: Finder): SeenEffects {
  const { say } = finder;
  const requests = all.requestsOf.get(event.id) ?? [];
  const records = all.recordsOf.get(event.id) ?? [];
  const toLedger = event.routingKey === LEDGER_KEY;
  if (!toLedger && requests.length > 0) {
    say(
      'I1',
      event.id,
      `expected nothing at the ledger, for it goes to ${event.routingKey}; came ${requests.length} requests`,
    );
  }
  if (toLedger && records.length > 0) {
    say('I1', event.id, `expected no audit record, for it goes to ${event.routingKey}; came ${records.length}`);
  }
  if (toLedger) compareLedger(event, row, requests, finder);
  else compareRecords(event, row, all, finder);

  const effects = toLedger ? requests.filter(({ did }) => did === 'effect').length : records.length;
  const what = toLedger ? 'effects at the ledger' : 'audit records';
  if (effects > 1) say('I2', event.id, `expected one effect, came ${effects} ${what}`, 'doubled');
  const status = row.delivery?.status;
  if (status === 'DELIVERED' && effects === 0) {
    say('I1', event.id, `DELIVERED: expected one effect, came 0 ${what}`, 'lost');
  }
  return {
    again: requests.filter(({ did }) => did === 'again').length,
    toAsk: status === 'DEAD' && effects > 0 && isToAsk(event, all, finder),
  };
}

/** R18: a letter must not say that nothing happened where something did. */
function isToAsk(event: JournalledEvent, all: Indexed, { say }: Finder): boolean {
  const letter = all.lettersOf.get(event.id)?.find(({ state }) => state === 'open');
  if (letter === undefined) return false; // told already: DEAD without a letter
  if (letter.effect === 'none') {
    say('I1', event.id, `DEAD, and its letter ${letter.id} says that there is no effect; the effect stands`);
  }
  if (letter.effect === 'stands') {
    say('I1', event.id, `DEAD, and its letter ${letter.id} knows that the effect stands: expected DELIVERED`);
  }
  if (letter.effect !== 'unknown') return false;
  if (!letter.asks) say('I1', event.id, `DEAD with an effect that stands: expected letter ${letter.id} to ask for it`);
  return letter.asks;
}

function compareLedger(
  event: JournalledEvent,
  row: BookRow,
  requests: readonly LedgerRequest[],
  { say }: Finder,
): void {
  for (const { key, tenant, payloadHash, did } of requests) {
    // R2: the key is what collapses; another one would be a second effect the next time.
    if (key !== event.id) say('I2', event.id, `expected its id as Idempotency-Key, came "${key}" (${did})`);
    if (tenant !== event.tenantId)
      say('I1', event.id, `expected tenant ${event.tenantId} at the ledger, came ${tenant}`);
    if (payloadHash !== event.hash && !row.edited) {
      say('I1', event.id, `expected payload ${event.hash} at the ledger, came ${payloadHash} (${did})`);
    }
  }
  const receipt = requests.find(({ did }) => did === 'effect')?.receipt;
  const stored = row.delivery?.receiptId;
  if (row.delivery?.status === 'DELIVERED' && receipt !== undefined && stored !== receipt) {
    say('I1', event.id, `expected the receipt ${receipt} of its effect, its row has ${stored}`);
  }
}

function compareRecords(event: JournalledEvent, row: BookRow, all: Indexed, { say }: Finder): void {
  for (const record of all.recordsOf.get(event.id) ?? []) {
    const { recordId, tenantId, source, shown } = record;
    if (tenantId !== event.tenantId) {
      say('I1', event.id, `record ${recordId}: expected tenant ${event.tenantId}, came ${tenantId}`);
    }
    if (source !== row.source) say('I1', event.id, `record ${recordId}: expected source ${row.source}, came ${source}`);
    if (event.shown !== null && shown !== event.shown && !row.edited) {
      say('I1', event.id, `record ${recordId}: expected data ${event.shown}, came ${shown}`);
    }
  }
  const [record] = all.recordsOf.get(event.id) ?? [];
  const stored = row.delivery?.receiptId;
  if (row.delivery?.status === 'DELIVERED' && record !== undefined && stored !== record.recordId) {
    say('I1', event.id, `expected the receipt of record ${record.recordId}, its row has ${stored}`);
  }
}
