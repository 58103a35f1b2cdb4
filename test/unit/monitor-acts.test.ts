/** Real: what the monitor's page lets somebody act on, and what it says of an act that has failed. Fake: nothing. */
import type { Session } from '../../src/contract/monitor-api.js';
import { mayHaveActed } from '../../src/monitor/logic/act-outcome.js';
import { chosenOf } from '../../src/monitor/logic/chosen-letters.js';
import { takenBy } from '../../src/monitor/logic/job-progress.js';
import { type Pause, type PauseScope, pauseOf } from '../../src/monitor/logic/pause-scope.js';
import { whyNoRecord, whyNotAll } from '../../src/monitor/logic/records-of.js';

describe('an act that has failed', () => {
  it.each([
    [400, 'invalid_request'],
    [401, 'not_signed_in'],
    [403, 'scope_missing'],
    [409, 'edited_meanwhile'],
    [429, 'rate_limited'],
    [413, 'unreadable'],
  ])('with %d %s was refused', (status, code) => {
    expect(mayHaveActed({ status, code })).toBe(false);
  });

  it.each([
    [0, 'late'],
    [0, 'unreachable'],
    [200, 'unreadable'],
    [500, 'internal'],
    [502, 'unreadable'],
    [503, 'store_unavailable'],
  ])('with %d %s may have been done', (status, code) => {
    expect(mayHaveActed({ status, code })).toBe(true);
  });

  it('of which the api says that it did nothing was not', () => {
    expect(mayHaveActed({ status: 503, code: 'overloaded' })).toBe(false);
    expect(mayHaveActed({ status: 503, code: 'effect_not_told' })).toBe(false);
    expect(mayHaveActed({ status: 503, code: 'session_not_known' })).toBe(false);
    expect(mayHaveActed({ status: 500, code: 'still_failing' })).toBe(false);
  });

  it('with what is no answer of a request tells nothing', () => {
    expect(mayHaveActed(null)).toBe(true);
  });
});

describe('letters that somebody chose', () => {
  const letters = (...ids: string[]) => ids.map((id) => ({ id }));
  const choice = { list: 'BILLING', ids: new Set(['a', 'b']) };

  it('are those that are in sight, of the list that they were chosen in', () => {
    expect(chosenOf(choice, 'BILLING', letters('a', 'b', 'c'))).toEqual(new Set(['a', 'b']));
    expect(chosenOf(choice, 'BILLING', letters('b', 'c'))).toEqual(new Set(['b']));
    expect(chosenOf(choice, 'ORDER', letters('a', 'b'))).toEqual(new Set());
    expect(chosenOf(null, 'BILLING', letters('a'))).toEqual(new Set());
  });

  it('are none while the list is not there', () => {
    expect(chosenOf(choice, 'BILLING', [])).toEqual(new Set());
  });
});

describe('a redrive job', () => {
  it('takes as many as were counted, or fewer by its cap, and never says more', () => {
    expect(takenBy(500, '10')).toBe(10);
    expect(takenBy(10, '500')).toBe(10);
    expect(takenBy(500, '')).toBe(500);
    expect(takenBy(500, ' ')).toBe(500);
    expect(takenBy(500, 'ten')).toBe(500);
  });
});

describe('a pause', () => {
  const pause = (id: string, scope: Partial<PauseScope>): Pause => ({
    ...{ id, destination: null, eventType: null, tenantId: null },
    ...{ until: null, reason: 'a move', actor: 'user:ann', createdAt: '2026-11-29T10:00:00.000Z' },
    ...scope,
  });
  const pauses = [
    pause('all', {}),
    pause('crm', { destination: 'crm' }),
    pause('none', { destination: 'crm', tenantId: '' }),
  ];

  it('is the one of exactly its scope: no tenant is not any', () => {
    const of = (scope: Partial<PauseScope>) =>
      pauseOf(pauses, { destination: null, eventType: null, tenantId: null, ...scope })?.id ?? null;
    expect([of({}), of({ destination: 'crm' }), of({ destination: 'crm', tenantId: '' })]).toEqual([
      'all',
      'crm',
      'none',
    ]);
    expect([of({ destination: 'erp' }), of({ eventType: 'ORDER' }), of({ destination: 'crm', tenantId: 'a' })]).toEqual(
      [null, null, null],
    );
  });
});

describe('records that a key does not read', () => {
  const may = { readDelivery: true, changeDelivery: false, readRecords: true, readAnyTenant: false };
  const reader = (more: Partial<Session['may']>, tenantId: string | null = null) => ({
    may: { ...may, ...more },
    tenantId,
  });

  it("are those of tenants, where it is bound to none and may not read every tenant's", () => {
    expect(whyNotAll(reader({}))).toMatch(/without a tenant only/);
    expect(whyNotAll(reader({ readAnyTenant: true }))).toBeNull();
    expect(whyNotAll(reader({}, 'acme'))).toBeNull();
  });

  it('are said not to be shown, and not to be missing', () => {
    expect(whyNoRecord(reader({}), 'acme')).toMatch(/audit:read:any-tenant/);
    expect(whyNoRecord(reader({}), null)).toBeNull();
    expect(whyNoRecord(reader({}, 'acme'), 'acme')).toBeNull();
    expect(whyNoRecord(reader({ readAnyTenant: true }), 'acme')).toBeNull();
    expect(whyNoRecord(reader({ readRecords: false, readAnyTenant: false }), null)).toMatch(/scope audit:read,/);
  });
});
