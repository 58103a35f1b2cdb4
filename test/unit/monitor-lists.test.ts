/** Real: how lists, addresses and filters of the monitor's page are kept. Fake: nothing. */
import fc from 'fast-check';
import { countOutcomes, progressOf } from '../../src/monitor/logic/job-progress.js';
import { diedSince, LETTER_FILTER, toLetterFilter } from '../../src/monitor/logic/letter-filter.js';
import { AT_FIRST, goBack, isLong, PAGES_AT_ONCE, type SearchBack } from '../../src/monitor/logic/search-back.js';
import { filterOf, isUuid, readParams, writeParams } from '../../src/monitor/logic/search-params.js';
import { keepOrder } from '../../src/monitor/logic/steady-list.js';

interface Row {
  readonly id: string;
  readonly n: number;
}
const rows = (...ids: string[]) => ids.map((id): Row => ({ id, n: 1 }));
const idOf = ({ id }: Row) => id;

describe('a list that somebody reads', () => {
  it('keeps its order, takes what changed, and counts what is new', () => {
    const latest = [...rows('new'), { id: 'b', n: 2 }, ...rows('a')];
    expect(keepOrder(rows('a', 'b'), latest, idOf)).toEqual({
      items: [
        { id: 'a', n: 1 },
        { id: 'b', n: 2 },
      ],
      fresh: 1,
      gone: new Set(),
    });
  });

  it('marks what has left it, but not what may have been pushed off its end', () => {
    expect(keepOrder(rows('a', 'b', 'c', 'd'), rows('a', 'c'), idOf).gone).toEqual(new Set(['b']));
    expect(keepOrder(rows('a', 'b'), rows('x', 'y'), idOf).gone).toEqual(new Set());
  });

  it('marks whatever has left one that has no other page, were it all of it', () => {
    expect(keepOrder(rows('a', 'b', 'c'), rows('a'), idOf, true).gone).toEqual(new Set(['b', 'c']));
    expect(keepOrder(rows('a', 'b'), [], idOf, true).gone).toEqual(new Set(['a', 'b']));
  });

  it('never moves a row, whatever comes', () => {
    const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'));
    fc.assert(
      fc.property(ids, ids, (shown, latest) => {
        const steady = keepOrder(rows(...shown), rows(...latest), idOf);
        expect(steady.items.map(idOf)).toEqual(shown);
        expect(steady.fresh).toBe(latest.filter((id) => !shown.includes(id)).length);
      }),
    );
  });
});

describe('the address of a view', () => {
  it('gives back what was put into it, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (text, tenantId) => {
        const search = writeParams({ text, tenantId, before: undefined });
        expect(readParams(search, ['text', 'tenantId', 'before'])).toEqual({ text, tenantId });
      }),
    );
  });

  it('takes only what is named, and of what comes twice the first', () => {
    expect(readParams('?a=1&a=2&__proto__=x&b=', ['a', 'b'])).toEqual({ a: '1', b: '' });
    expect(writeParams({})).toBe('');
    expect(writeParams({ limit: 5, gaps: true })).toBe('?limit=5&gaps=true');
  });

  it('knows a UUID of any version', () => {
    expect(isUuid('0198C0DE-0000-7000-8000-000000000001')).toBe(true);
    expect(isUuid('0198c0de-0000-0000-0000-000000000001')).toBe(true);
    expect(isUuid('0198c0de-0000-7000-8000-00000000000g')).toBe(false);
    expect(isUuid('../0198c0de-0000-7000-8000-000000000001')).toBe(false);
  });
});

describe('the filter of dead letters', () => {
  it('reads links of notices: type and code', () => {
    const params = readParams('?type=ORDER&code=HTTP.TLS', LETTER_FILTER);
    expect(toLetterFilter(params)).toEqual({ eventType: 'ORDER', code: 'HTTP.TLS' });
  });

  it('finds what died after a job by what an event keeps, and not by how it died before', () => {
    const since = '2026-11-29T10:00:00.000Z';
    const how = { code: 'HTTP.TIMEOUT', since: 'before', until: 'before', text: 'timed out', outageId: 'o1' };
    const params = diedSince({ eventType: 'ORDER', tenantId: '', destination: null, ...how }, since);
    expect(params).toEqual({ type: 'ORDER', tenantId: '', since });
    expect(toLetterFilter(params)).toEqual({ eventType: 'ORDER', tenantId: '', since });
    expect(diedSince({ ...how, eventType: null, destination: 'crm', tenantId: null }, since)).toEqual({
      destination: 'crm',
      since,
    });
  });

  it('is the same on every page of a list, and another one for another list', () => {
    expect(filterOf({ eventType: 'ORDER', cursor: 'c' })).toBe(filterOf({ eventType: 'ORDER' }));
    expect(filterOf({ state: 'open', before: 'b' })).toBe(filterOf({ state: 'open', before: undefined }));
    expect(filterOf({ window: '24h' })).not.toBe(filterOf({ window: '15m' }));
    expect(filterOf({ eventType: 'BILLING' })).not.toBe(filterOf({ eventType: 'ORDER' }));
  });
});

describe('a search that goes back in time', () => {
  const page = (next: string | null, ...items: string[]) => ({ items, next, looked: 20_000 });

  it('goes on from an empty page, and stays where something is found or nothing is left', () => {
    expect(goBack(AT_FIRST, page('c1'))).toEqual({ cursor: 'c1', pages: 1, looked: 20_000 });
    expect(goBack(AT_FIRST, page('c1', 'found'))).toBeNull();
    expect(goBack(AT_FIRST, page(null))).toBeNull();
  });

  it('asks before it goes on for ever', () => {
    let search: SearchBack = AT_FIRST;
    for (let pages = 0; pages < PAGES_AT_ONCE; pages++) {
      expect(isLong(search)).toBe(false);
      search = goBack(search, page('next')) as SearchBack;
    }
    expect(search).toMatchObject({ pages: PAGES_AT_ONCE, looked: PAGES_AT_ONCE * 20_000 });
    expect(isLong(search)).toBe(true);
    expect(isLong(goBack(search, page('next')) as SearchBack)).toBe(false);
  });
});

describe('a redrive job', () => {
  const job = { redriven: 0, skipped: 0, expected: 0, cap: null } as unknown as Parameters<typeof progressOf>[0];

  it('is as far as its letters are, of as many as it may take', () => {
    expect(progressOf({ ...job, redriven: 3, skipped: 1, expected: 10 })).toEqual({ done: 4, of: 10 });
    expect(progressOf({ ...job, redriven: 3, expected: 10, cap: 5 })).toEqual({ done: 3, of: 5 });
  });

  it('is never further than its end, where letters came on top', () => {
    expect(progressOf({ ...job, redriven: 12, expected: 10 })).toEqual({ done: 12, of: 12 });
  });

  it('of several letters ends in outcomes, the most frequent first', () => {
    expect(countOutcomes(['missing', 'redriven', 'redriven'])).toEqual([
      ['redriven', 2],
      ['missing', 1],
    ]);
  });
});
