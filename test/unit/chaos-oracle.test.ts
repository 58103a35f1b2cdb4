/** The oracle on books written by hand: whatever is wrong in one of them is found, and nothing else. Nothing is fake. */
import fc from 'fast-check';
import type { BookDelivery, BookLetter } from '../../src/main/chaos/books.js';
import { compareChaos } from '../../src/main/chaos/compare-chaos.js';
import { emptyBooks, play, type Scene, type SpoiltBooks, toAccounts } from '../support/chaos-books.js';

const SCENES: readonly Scene[] = ['ledger', 'audit', 'dead', 'rolledBack', 'stands', 'gone', 'act'];

function cleanBooks(): SpoiltBooks {
  const books = emptyBooks();
  for (const [at, scene] of SCENES.entries()) play(books, scene, at + 1);
  return books;
}

const [LEDGER, AUDIT, DEAD, ROLLED_BACK, STANDS, GONE, ACT] = SCENES.map((_, at) => `e${at + 1}`) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

const settle = (books: SpoiltBooks, id: string, change: Partial<BookDelivery>) => {
  const row = books.rows.get(id);
  if (row?.delivery == null) throw new Error(`expected a delivery of ${id}`);
  books.rows.set(id, { ...row, delivery: { ...row.delivery, ...change } });
};
/** The entry of one id, changed, under the same or another one. */
const copy = <T>(entries: Map<string, T>, from: string, to: string, change: Partial<T>) => {
  const entry = entries.get(from);
  if (entry === undefined) throw new Error(`expected an entry of ${from}`);
  entries.set(to, { ...entry, ...change });
};
const rewrite = <T extends { eventId: string }>(list: T[], id: string, change: Partial<T>): T[] =>
  list.map((one) => (one.eventId === id ? { ...one, ...change } : one));
const changeLetter = (books: SpoiltBooks, change: Partial<BookLetter>) => {
  books.letters = rewrite(books.letters, DEAD, change);
};

/** What is spoilt, under which head it must be told, and a part of the sentence. */
type Planted = [string, (books: SpoiltBooks) => void, 'lost' | 'doubled' | 'phantoms' | null, string];
const PLANTED: readonly Planted[] = [
  ['a committed event without a row', (books) => books.rows.delete(LEDGER), 'lost', `I1 ${LEDGER}: expected its row`],
  [
    'an event without its delivery row',
    (books) => copy(books.rows, AUDIT, AUDIT, { delivery: null }),
    'lost',
    `I1 ${AUDIT}: expected one delivery row`,
  ],
  [
    'an event that is still open, with where it hangs',
    (books) => settle(books, LEDGER, { status: 'STARTED', hangs: 'run main:e1:0, attempt 2 HTTP.TIMEOUT' }),
    'lost',
    'attempt 2 HTTP.TIMEOUT',
  ],
  [
    'a delivered event without its effect',
    (books) => {
      books.requests = books.requests.filter(({ eventId }) => eventId !== LEDGER);
    },
    'lost',
    `I1 ${LEDGER}: DELIVERED: expected one effect`,
  ],
  [
    'a delivered event without its record',
    (books) => {
      books.records = [];
    },
    'lost',
    `I1 ${AUDIT}: DELIVERED: expected one effect`,
  ],
  [
    'a second effect under another key',
    (books) => books.requests.push({ ...books.requests[0], key: 'other' } as never),
    'doubled',
    `I2 ${LEDGER}: expected one effect, came 2`,
  ],
  [
    'a second record',
    (books) => books.records.push({ ...books.records[0], recordId: 'r2' } as never),
    'doubled',
    `I2 ${AUDIT}: expected one effect, came 2`,
  ],
  [
    'a key that is not the id',
    (books) => {
      books.requests = rewrite(books.requests, LEDGER, { key: 'batch-1' });
    },
    null,
    `I2 ${LEDGER}: expected its id as Idempotency-Key, came "batch-1"`,
  ],
  [
    'a row of what was rolled back',
    (books) => copy(books.rows, LEDGER, ROLLED_BACK, { id: ROLLED_BACK }),
    'phantoms',
    `I3 ${ROLLED_BACK}: expected nothing, for it was rolled back; came 1 rows`,
  ],
  [
    'a request, even a refused one, of what was rolled back',
    (books) =>
      books.requests.push({ ...books.requests[0], eventId: ROLLED_BACK, key: ROLLED_BACK, did: 'refused' } as never),
    'phantoms',
    `I3 ${ROLLED_BACK}: expected nothing`,
  ],
  [
    'a record of what stands nowhere',
    (books) => books.records.push({ ...books.records[0], eventId: GONE } as never),
    'phantoms',
    `I3 ${GONE}: expected nothing, for it does not stand in the outbox`,
  ],
  [
    'a row that nobody appended',
    (books) => copy(books.rows, LEDGER, 'x', { id: 'x' }),
    'phantoms',
    'I3 x: expected nothing, for no producer appended it',
  ],
  [
    'an effect of an event that nobody knows',
    (books) => books.requests.push({ ...books.requests[0], eventId: 'x', key: 'x' } as never),
    'phantoms',
    'I3 x: expected nothing',
  ],
  [
    'half of a transaction in doubt',
    (books) => copy(books.journal, STANDS, 'half', { id: 'half' }),
    'phantoms',
    'expected all 2 events or none, came all but half',
  ],
  [
    'an event in doubt that committed and is not there',
    (books) => copy(books.journal, GONE, GONE, { resolved: 'committed' }),
    'lost',
    `I1 ${GONE}: expected its row, for the database says that it committed`,
  ],
  [
    'an event in doubt that aborted and is there',
    (books) => copy(books.journal, STANDS, STANDS, { resolved: 'aborted' }),
    'phantoms',
    `I3 ${STANDS}: expected nothing, for the database says that it aborted`,
  ],
  [
    'a record of another tenant',
    (books) => {
      books.records = rewrite(books.records, AUDIT, { tenantId: 'tenant-9' });
    },
    null,
    'expected tenant tenant-2, came tenant-9',
  ],
  [
    'an effect of another tenant',
    (books) => {
      books.requests = rewrite(books.requests, LEDGER, { tenant: 'tenant-9' });
    },
    null,
    `I1 ${LEDGER}: expected tenant tenant-1 at the ledger`,
  ],
  [
    'a changed payload at the ledger',
    (books) => {
      books.requests = rewrite(books.requests, LEDGER, { payloadHash: 'other' });
    },
    null,
    `I1 ${LEDGER}: expected payload hash-${LEDGER}`,
  ],
  [
    'changed data of a record',
    (books) => {
      books.records = rewrite(books.records, AUDIT, { shown: 'other' });
    },
    null,
    'expected data s, came other',
  ],
  [
    'a record under another source',
    (books) => {
      books.records = rewrite(books.records, AUDIT, { source: 'outbox:other' });
    },
    null,
    'expected source outbox:chaos',
  ],
  [
    'a changed payload in the outbox',
    (books) => copy(books.rows, LEDGER, LEDGER, { payloadHash: 'other' }),
    null,
    `I1 ${LEDGER}: payload: expected`,
  ],
  [
    'a row of another tenant',
    (books) => settle(books, LEDGER, { tenant: 'tenant-9' }),
    null,
    `I1 ${LEDGER}: tenant of its delivery`,
  ],
  [
    'the receipt of another effect',
    (books) => settle(books, LEDGER, { receiptId: 'effect-9' }),
    null,
    `I1 ${LEDGER}: expected the receipt effect-1`,
  ],
  [
    'the receipt of another record',
    (books) => settle(books, AUDIT, { receiptId: 'r-9' }),
    null,
    'expected the receipt of record',
  ],
  [
    'an effect at the wrong destination',
    (books) => books.requests.push({ ...books.requests[0], eventId: AUDIT, key: AUDIT } as never),
    null,
    `I1 ${AUDIT}: expected nothing at the ledger`,
  ],
  [
    'a record of what goes elsewhere',
    (books) => books.records.push({ ...books.records[0], eventId: LEDGER } as never),
    null,
    `I1 ${LEDGER}: expected no audit record`,
  ],
  [
    'a death that nothing wanted',
    (books) => copy(books.journal, DEAD, DEAD, { expect: 'delivered' }),
    null,
    `I1 ${DEAD}: expected its delivery, came DEAD (HTTP.SERVER_ERROR in epoch 0)`,
  ],
  [
    'an event that was given up, though it might have died',
    (books) => {
      settle(books, DEAD, { status: 'DISCARDED' });
      changeLetter(books, { state: 'discarded' });
    },
    null,
    `I1 ${DEAD}: expected its delivery or its letter, came DISCARDED`,
  ],
  ...(['stands', 'unknown'] as const).map(
    (effect): Planted => [
      `a letter that stays open although its effect ${effect === 'stands' ? 'is known to stand' : 'will not be asked for'}`,
      (books) => {
        changeLetter(books, { effect, asks: false });
        const seen = { at: 1, key: DEAD, eventId: DEAD, tenant: 'tenant-0', payloadHash: `hash-${DEAD}` };
        books.requests.push({ ...seen, did: 'effect', status: 201, receipt: 'r', heldMs: 0 });
      },
      null,
      effect === 'stands'
        ? 'knows that the effect stands: expected DELIVERED'
        : `expected letter l-${DEAD} to ask for it`,
    ],
  ),
  [
    'a delivery that was to die',
    (books) => copy(books.journal, LEDGER, LEDGER, { expect: 'dead' }),
    null,
    `I1 ${LEDGER}: expected a dead letter, came DELIVERED`,
  ],
  [
    'a dead event without a letter',
    (books) => changeLetter(books, { state: 'resolved' }),
    null,
    'expected 1 open dead letters, came 0',
  ],
  [
    'two open letters of one event',
    (books) => books.letters.push({ ...books.letters[0], id: 'l2' } as never),
    null,
    'expected 1 open dead letters, came 2',
  ],
  [
    'a delivered event with an open letter',
    (books) => books.letters.push({ ...books.letters[0], id: 'l2', eventId: AUDIT } as never),
    null,
    `I1 ${AUDIT}: DELIVERED: expected 0 open dead letters`,
  ],
  [
    'a letter without a notification row',
    (books) => changeLetter(books, { notifications: [] }),
    null,
    'I4 letter l-e3: expected one',
  ],
  [
    'a letter that nobody was told of',
    (books) => changeLetter(books, { notifications: [{ claimedBy: null, done: false, outcome: {} }] }),
    null,
    'it is not sent',
  ],
  [
    'a notice that no channel took',
    (books) =>
      changeLetter(books, { notifications: [{ claimedBy: 'g', done: true, outcome: { slack: 'HTTP.TIMEOUT' } }] }),
    null,
    'none of slack took it',
  ],
  [
    'a notice that went to nobody',
    (books) => changeLetter(books, { notifications: [{ claimedBy: 'g', done: true, outcome: {} }] }),
    null,
    'none of no channel took it',
  ],
  [
    'a notice that is said to be sent and came nowhere',
    (books) => {
      books.notices = [];
    },
    null,
    'I4 webhook: expected 1 notices',
  ],
  [
    'a letter that denies an effect that stands',
    (books) =>
      books.requests.push({
        ...books.requests[0],
        eventId: DEAD,
        key: DEAD,
        tenant: 'tenant-0',
        payloadHash: `hash-${DEAD}`,
      } as never),
    null,
    'says that there is no effect; the effect stands',
  ],
  [
    'more attempts than the policy allows',
    (books) => {
      settle(books, DEAD, { failures: { 'HTTP.SERVER_ERROR': 4 } });
      changeLetter(books, { retryCount: 4 });
    },
    null,
    `I6 ${DEAD}: expected at most 3 attempts`,
  ],
  [
    'a letter before its budget is spent',
    (books) => {
      settle(books, DEAD, { failures: { 'HTTP.SERVER_ERROR': 1 } });
      changeLetter(books, { code: 'HTTP.SERVER_ERROR', retryCount: 1 });
    },
    null,
    `I6 ${DEAD}: letter l-e3: expected 3 attempts with HTTP.SERVER_ERROR before it, came 1`,
  ],
  [
    'a second attempt after a final answer',
    (books) => settle(books, LEDGER, { failures: { 'HTTP.CLIENT_ERROR': 2 } }),
    null,
    `I6 ${LEDGER}: HTTP.CLIENT_ERROR: expected at most 1`,
  ],
  [
    'a miscounted letter',
    (books) => changeLetter(books, { retryCount: 4 }),
    null,
    'expected retryCount 3, as many attempts',
  ],
  [
    'a delay above what may be asked for',
    (books) => books.delays.push({ policyHash: 'p', code: 'HTTP.RATE_LIMITED', longestMs: 3_900_001 }),
    null,
    'I6 policy p: HTTP.RATE_LIMITED: expected at most 3900000 ms',
  ],
  [
    'a retry that came before its delay was over',
    (books) =>
      books.hurried.push({
        eventId: DEAD,
        epoch: 0,
        n: 2,
        code: 'HTTP.SERVER_ERROR',
        delayMs: 400,
        cameMs: 12.3,
        how: 'by w',
      }),
    null,
    `I6 ${DEAD}: HTTP.SERVER_ERROR: expected attempt 3 of epoch 0 no sooner than 400 ms after attempt 2, came after 12 ms (by w)`,
  ],
  [
    'what the audit log kept and never stored',
    (books) => books.misfits.push({ eventId: AUDIT, kind: 'not stored', code: 'INGEST.SCHEMA' }),
    'lost',
    `I1 ${AUDIT}: expected its record, the audit log kept it unstored (INGEST.SCHEMA)`,
  ],
  [
    'an identity whose record is gone',
    (books) => books.misfits.push({ eventId: AUDIT, kind: 'key without record', code: null }),
    'lost',
    `I1 ${AUDIT}: expected a record of its identity`,
  ],
  [
    'a record that no identity keeps single',
    (books) => books.misfits.push({ eventId: AUDIT, kind: 'record without key', code: null }),
    null,
    `I2 ${AUDIT}: expected an identity`,
  ],
  [
    "an act of the outbox's own without a record",
    (books) => settle(books, ACT, { status: 'STARTED' }),
    'lost',
    `I1 ${ACT}: outbox.dead_letter.redriven.v1: expected one audit record`,
  ],
  [
    "an act of the outbox's own that died",
    (books) => {
      settle(books, ACT, { status: 'DEAD' });
      books.records = books.records.filter(({ eventId }) => eventId !== ACT);
    },
    'lost',
    `I1 ${ACT}: outbox.dead_letter.redriven.v1: expected one audit record, came DEAD with 0`,
  ],
];

describe('the oracle', () => {
  test('finds nothing in clean books, and counts them', () => {
    const found = compareChaos(toAccounts(cleanBooks()));
    expect(found).toMatchObject({
      violations: [],
      lost: [],
      doubled: [],
      phantoms: [],
      committed: 3,
      rolledBack: 1,
      inDoubt: { stand: 1, gone: 1, unresolved: 1 },
      delivered: 3,
      dead: 1,
      discarded: 0,
      either: { events: 1, deadOf: { 'HTTP.SERVER_ERROR': 1 } },
      open: 0,
      untold: 0,
    });
  });

  test.each(PLANTED)('finds %s', (_, plant, head, part) => {
    const spoilt = cleanBooks();
    plant(spoilt);
    const found = compareChaos(toAccounts(spoilt));
    expect(found.violations).toEqual(expect.arrayContaining([expect.stringContaining(part)]));
    if (head !== null) expect(found[head]).toEqual(expect.arrayContaining([expect.stringContaining(part)]));
  });

  test('collapsed requests and answers are counted, and are nothing wrong', () => {
    const all = cleanBooks();
    all.requests.push({ ...all.requests[0], did: 'again' } as never);
    settle(all, AUDIT, { replayed: true });
    const found = compareChaos(toAccounts(all));
    expect(found).toMatchObject({ violations: [], duplicates: { ledger: 1, audit: 1, unexplained: 2, carried: 0 } });
    settle(all, AUDIT, { replayed: true, carried: true });
    expect(compareChaos(toAccounts(all)).duplicates).toMatchObject({ unexplained: 1, carried: 1 });
    for (const id of [LEDGER, AUDIT]) settle(all, id, { failures: { 'HTTP.TIMEOUT': 1 } });
    expect(compareChaos(toAccounts(all)).duplicates).toEqual({ ledger: 1, audit: 1, unexplained: 0, carried: 0 });
  });

  test('a letter that one channel was told of is told, whatever the others answered', () => {
    const all = cleanBooks();
    const outcome = { slack: 'HTTP.SERVER_ERROR', sentry: 'HTTP.TIMEOUT', webhook: 'sent' };
    changeLetter(all, { notifications: [{ claimedBy: 'group-e3', done: true, outcome }] });
    expect(compareChaos(toAccounts(all))).toMatchObject({ violations: [], untold: 0 });
  });

  test('an effect whose letter is still to ask for it is counted, and is nothing wrong', () => {
    const all = cleanBooks();
    changeLetter(all, { effect: 'unknown', asks: true });
    all.requests.push({
      ...all.requests[0],
      eventId: DEAD,
      key: DEAD,
      tenant: 'tenant-0',
      payloadHash: `hash-${DEAD}`,
    } as never);
    expect(compareChaos(toAccounts(all))).toMatchObject({ violations: [], effectsToAsk: 1 });
  });

  test('finds a later version whose effect came first, and lets those pass that were appended at once', () => {
    const all = emptyBooks();
    for (const n of [2, 5, 8]) play(all, 'ledger', n * 3);
    expect(compareChaos(toAccounts(all)).violations).toEqual([]);
    all.requests.reverse();
    expect(compareChaos(toAccounts(all)).violations).toEqual([
      expect.stringContaining('R9 e15:'),
      expect.stringContaining('R9 e24:'),
    ]);
    copy(all.journal, 'e6', 'e6', { endedAt: 1_000 });
    expect(compareChaos(toAccounts(all)).violations).toEqual([expect.stringContaining('R9 e24:')]);
  });

  test('a version is held against all before it, not its neighbour alone', () => {
    const all = emptyBooks();
    for (const n of [2, 5, 8]) play(all, 'ledger', n * 3);
    const [first, second, third] = all.requests;
    all.requests = [third, first, second] as typeof all.requests;
    // The neighbour was appended at the same time as the last one: it says nothing, the first one does.
    copy(all.journal, 'e15', 'e15', { endedAt: 1_000 });
    expect(compareChaos(toAccounts(all)).violations).toEqual([
      expect.stringContaining('after that of version 6 (e6), came before it'),
    ]);
  });

  const scenes = fc.array(fc.constantFrom(...SCENES), { minLength: 1, maxLength: 60 });

  test('any clean books are clean', () => {
    fc.assert(
      fc.property(scenes, (played) => {
        const all = emptyBooks();
        for (const [at, scene] of played.entries()) play(all, scene, at + 1);
        expect(compareChaos(toAccounts(all)).violations).toEqual([]);
      }),
    );
  });

  test('one effect more or one less is found in any books, by its id', () => {
    const book = fc.record({ played: scenes, at: fc.nat(), less: fc.boolean() });
    fc.assert(
      fc.property(book, ({ played, at, less }) => {
        const all = emptyBooks();
        const ids = played.map((scene, n) => play(all, scene, n + 1));
        const id = ids[at % ids.length] as string;
        const isDone = all.rows.get(id)?.delivery?.status === 'DELIVERED';
        const count = all.requests.length + all.records.length;
        if (less) {
          all.requests = all.requests.filter(({ eventId }) => eventId !== id);
          all.records = all.records.filter(({ eventId }) => eventId !== id);
        } else {
          all.requests.push({
            at: 1,
            key: id,
            eventId: id,
            tenant: 't',
            payloadHash: 'h',
            did: 'effect',
            status: 201,
            receipt: 'r',
            heldMs: 0,
          });
        }
        const { violations } = compareChaos(toAccounts(all));
        const changed = all.requests.length + all.records.length !== count;
        expect(violations.some((told) => told.includes(` ${id}:`))).toBe(changed);
        expect(less && isDone).toBe(less && changed);
      }),
    );
  });
});
