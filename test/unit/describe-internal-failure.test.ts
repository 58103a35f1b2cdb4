/** What is said of an event that could not be stored. Real: pg's own error class. */
import fc from 'fast-check';
import pg from 'pg';
import { describeInternalFailure, framesOf } from '../../src/application/audit/describe-internal-failure.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';

const eventWith = (data: AuditEvent['data']) =>
  ({ eventId: 'event-1', actor: { type: 'user', id: 'u' }, data }) as AuditEvent;

function databaseError(fields: object): Error {
  return Object.assign(new pg.DatabaseError('', 0, 'error'), { severity: 'ERROR', ...fields });
}

describe('R28: of an error of the database', () => {
  it('R28: names only are taken, never its sentence', () => {
    const error = databaseError({
      message: 'new row violates hunter2',
      detail: 'Failing row contains (hunter2)',
      code: '23514',
      schema: 'audit',
      table: 'record',
      constraint: 'record_via',
      where: 'PL/pgSQL function audit.refuse_change() line 3 at RAISE, for hunter2',
    });
    expect(describeInternalFailure(error, eventWith({}))).toEqual({
      code: '23514',
      message:
        'PostgreSQL: SQLSTATE 23514, schema audit, table record, constraint record_via, function audit.refuse_change',
    });
  });
});

describe('R28: of any other error', () => {
  it('R28: name and message are kept', () => {
    const error = new RangeError('Expected 1 identity to stand, found none');
    expect(describeInternalFailure(error, eventWith({}))).toEqual({
      code: 'RangeError',
      message: 'RangeError: Expected 1 identity to stand, found none',
    });
  });

  it('R28: nothing that the event holds is left in it, in quotes or not, names of fields included', () => {
    const secret = fc.string({ minLength: 4, unit: 'grapheme' });
    fc.assert(
      fc.property(secret, secret, fc.integer({ min: 1_000 }), (key, value, number) => {
        const event = eventWith({ [key]: [value, number] });
        const sentence = `got ${value} at ${key}: ${number}`;
        const { message } = describeInternalFailure(new Error(sentence), event);
        for (const word of [key, value, String(number)]) {
          // The words of our own sentence are no one's secret.
          if (!'Error: got […] at […]: […]'.includes(word)) expect(message).not.toContain(word);
        }
      }),
    );
    const nested = eventWith({ a: 'hunter', b: 'hunter-and-gatherer' });
    expect(describeInternalFailure(new Error('got hunter-and-gatherer'), nested).message).toBe('Error: got […]');
    expect(describeInternalFailure(new SyntaxError('Unexpected token h, "hunter2'), eventWith({})).message).toBe(
      'SyntaxError: Unexpected token h, […]',
    );
  });

  it('R28: whatever was thrown, it is said in bounded words', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const { code, message } = describeInternalFailure(thrown, eventWith({}));
        expect(code.length).toBeLessThanOrEqual(100);
        expect(message.length).toBeLessThanOrEqual(1_000);
        expect(framesOf(thrown)).toEqual([]);
      }),
    );
    expect(describeInternalFailure(new Error('x'.repeat(5_000)), eventWith({})).message).toHaveLength(1_000);
  });

  it('R28: the frames say where, without the message', () => {
    const frames = framesOf(new Error('hunter2\nhunter2'));
    expect(frames[0]).toMatch(/^at .*describe-internal-failure/);
    expect(frames.join()).not.toContain('hunter2');
  });
});
