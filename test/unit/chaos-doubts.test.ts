/** What is believed of transactions in doubt. Nothing is fake: a journal and answers written by hand. */
import type { JournalledEvent } from '../../src/main/chaos/chaos-journal.js';
import { markDoubts } from '../../src/main/chaos/resolve-doubts.js';

const SINCE = 1_000_000;
const resolved = (event: Partial<JournalledEvent>, status: string) => {
  const journal = new Map([
    ['a', { id: 'a', fate: 'inDoubt', xid: '7', intentAt: SINCE + 60_000, ...event } as JournalledEvent],
  ]);
  const answers = { statuses: new Map([['7', status]]), serverSince: SINCE };
  return markDoubts(journal, answers).get('a')?.resolved;
};

test.each<[string, Partial<JournalledEvent>, string, string | undefined]>([
  ['committed', {}, 'committed', 'committed'],
  ['aborted', {}, 'aborted', 'aborted'],
  ['aborted, before the server was started again', { intentAt: SINCE - 1 }, 'aborted', 'aborted'],
  ['committed, before that: its xid may be that of another', { intentAt: SINCE - 1 }, 'committed', undefined],
  ['still in progress', {}, 'in progress', undefined],
  ['not known by its xid', { xid: '8' }, 'committed', undefined],
  ['without an xid', { xid: null }, 'committed', undefined],
  ['answered: nothing is asked of it', { fate: 'committed' }, 'aborted', undefined],
])('%s', (_, event, status, wanted) => expect(resolved(event, status)).toBe(wanted));
