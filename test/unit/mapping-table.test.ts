/** Pure: docs/mapping.md beside the table in code, and what both mappers make of every row. */
import { readFileSync } from 'node:fs';
import { toAuditEvent } from '../../src/application/delivery/mappers/to-audit-event.js';
import { readCloudEvent } from '../../src/contract/cloud-event.js';
import { findKnownEvent, KNOWN_EVENTS, type KnownEvent } from '../../src/contract/known-events.js';
import { toAction } from '../../src/contract/to-action.js';
import { eventOf } from '../support/events.js';

const documented = readFileSync('docs/mapping.md', 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, name, category, operation, outcome, severity, reason] =
      /^\| `([^`]+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \| (\w*) ?\|$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, category, operation, outcome, severity, reason: reason === 'yes' }];
  });

describe('the mapping table', () => {
  it('stands in docs/mapping.md as in the code, row for row', () => {
    const known = Object.entries(KNOWN_EVENTS as Record<string, KnownEvent>).map(([name, entry]) => ({
      name,
      category: entry.category,
      operation: entry.operation,
      outcome: entry.outcome ?? 'success',
      severity: entry.severity ?? 'info',
      reason: entry.reason ?? false,
    }));
    expect(documented).toEqual(known);
  });

  it('has entries for auth, user, role, order, billing, configuration and file events', () => {
    const families = new Set(documented.map(({ name }) => name.split('.')[0]));
    expect([...families]).toEqual(['auth', 'user', 'role', 'order', 'billing', 'configuration', 'file', 'outbox']);
  });

  it.each(documented)('is what becomes of $name, from our outbox and as a CloudEvent', (row) => {
    const expected = { category: row.category, operation: row.operation, outcome: row.outcome };
    const severity = row.severity === 'info' ? undefined : row.severity;
    const event = toAuditEvent(eventOf({ name: `${row.name}.v1`, type: 'ANY' }), {});
    expect(event).toMatchObject(expected);
    expect(event.severity).toBe(severity);
    const read = readCloudEvent(
      { specversion: '1.0', id: '1', source: '/s', type: `${row.name}.v1` },
      new Date('2026-01-01T00:00:00Z'),
    );
    expect(read).toMatchObject({ ok: true, event: { action: row.name, ...expected } });
    expect(read.ok && read.event.severity).toBe(severity);
  });

  it('counts a first word once that is said twice, and only the first', () => {
    expect(findKnownEvent('order.order.placed')).toEqual(KNOWN_EVENTS['order.placed']);
    expect(findKnownEvent(toAction('UserCreated').action)).toEqual(KNOWN_EVENTS['user.created']);
    expect(findKnownEvent('auth.user.user.signed_in')).toBeUndefined();
    expect(findKnownEvent('constructor')).toBeUndefined();
  });
});
