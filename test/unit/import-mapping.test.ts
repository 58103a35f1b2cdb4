/** Nothing here is fake: lines in, outbox events out. All data is invented. */
import { readFileSync } from 'node:fs';
import { findMapping, IMPORT_MAPPINGS } from '../../src/application/delivery/import/mappings/index.js';
import type { ImportedEvent } from '../../src/application/delivery/import/ports.js';
import { type ImportContext, toImportedEvent } from '../../src/application/delivery/import/to-imported-event.js';
import { parseAuditEvent } from '../../src/contract/audit-dto.js';
import { toRecord } from '../support/import-record.js';

const NOW = new Date('2026-11-23T12:00:00Z');

function contextOf(mapping: string, overrides: Partial<ImportContext> = {}): ImportContext {
  const found = findMapping(mapping);
  if (found === undefined) throw new Error(`no mapping ${mapping}`);
  return { mapping: found, deployment: 'main', tenantId: '', now: NOW, ...overrides };
}

function importLine(line: object | string, context = contextOf('default')): ImportedEvent {
  const text = typeof line === 'string' ? line : JSON.stringify(line);
  const mapped = toImportedEvent(Buffer.from(text), context);
  if (!mapped.ok) throw new Error(mapped.reason);
  return mapped.event;
}

describe('identity of an imported event', () => {
  it('R25: the same foreign id is the same outbox id, and another for another deployment, tenant or source', () => {
    const line = { id: 'e-1', source: 'erp', time: '2026-01-01T00:00:00Z' };
    const ids = [
      importLine(line),
      importLine({ ...line, more: true }),
      importLine(line, contextOf('default', { deployment: 'other' })),
      importLine(line, contextOf('default', { tenantId: 'acme' })),
      importLine({ ...line, source: 'crm' }),
      importLine({ ...line, id: 'e-2' }),
    ].map(({ id }) => id);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(5);
    // The namespace is for good: an id that changes would import everything a second time.
    expect(ids[0]).toBe('f7114b98-834e-5e28-9fa6-9cf60f33dabf');
  });

  it('R25: without a foreign id the line is the identity, and no id can be taken for a line', () => {
    const line = importLine('{"a":1}');
    expect(importLine('{"a":1}').id).toBe(line.id);
    expect(importLine('{"a": 1}').id).not.toBe(line.id);
    expect(line.headers.import.sourceEventId).toBeUndefined();
    expect(importLine({ id: line.headers.import.lineSha256 }).id).not.toBe(line.id);
  });

  it('R25: the foreign source stays the source, the foreign id stands in the metadata', () => {
    const event = importLine({ id: 'e-1', source: 'erp', action: 'user.create' });
    expect(event.source).toBe('erp');
    expect(event.headers.audit.metadata?.sourceEventId).toBe('e-1');
    expect(event.headers.import.sourceEventId).toBe('e-1');
  });

  it('the content hash looks past white space and key order, and at every digit of a number', () => {
    const hash = (line: string) => importLine(line).headers.import.contentSha256;
    expect(hash('{"a":1,"b":[2]}')).toBe(hash('{ "b" : [2.0], "a" : 1 }'));
    expect(hash('{"a":9007199254740993}')).not.toBe(hash('{"a":9007199254740992}'));
    expect(hash('{"a":9007199254740993}')).not.toBe(hash('{"a":"9007199254740993"}'));
  });
});

describe('what an imported event says', () => {
  it('takes the time of import where there is none and says so', () => {
    const event = importLine({ id: 'e-1' });
    expect(event.occurredAt).toBe(NOW.toISOString());
    expect(event.headers.audit.metadata?.timeMissing).toBe(true);
  });

  it('cuts an oversized original and keeps what the record is about', () => {
    const line = {
      id: 'e-1',
      action: 'file.upload',
      actor: 'ada',
      time: '2026-01-01T00:00:00Z',
      body: 'x'.repeat(70_000),
    };
    const event = importLine(line);
    expect(event.payload).toMatchObject({ truncated: true, bytes: JSON.stringify(line).length, omitted: ['body'] });
    expect(event.payload.sha256).toBe(event.headers.import.lineSha256);
    expect(event.headers.audit).toMatchObject({
      action: 'file.upload',
      actor: { id: 'ada' },
      metadata: { truncated: true },
    });
  });

  it('lists what was changed in the record itself', () => {
    const { metadata } = importLine(String.raw`{"n":18446744073709551615,"t":"\u0000"}`).headers.audit;
    expect(metadata).toMatchObject({ numbersAsStrings: '/n', escaped: '/t' });
  });

  it('keeps headers within their limit and cut ids apart', () => {
    const target = (n: number) => ({ type: 't'.repeat(100), id: `${'ü'.repeat(400)}${n}`, name: '漢'.repeat(300) });
    const event = importLine({
      id: '漢'.repeat(500),
      action: `a.${'b'.repeat(400)}`,
      actor: { id: '漢'.repeat(300), name: '漢'.repeat(300) },
      userAgent: '漢'.repeat(600),
      targets: Array.from({ length: 50 }, (_, n) => target(n)),
    });
    expect(Buffer.byteLength(JSON.stringify(event.headers))).toBeLessThan(8 * 1024);
    const ids = event.headers.audit.targets?.map(({ id }) => id) ?? [];
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('makes any source a URI reference', () => {
    expect(importLine({ source: 'Microsoft Windows security' }).source).toBe('Microsoft%20Windows%20security');
    expect(importLine({ source: '100% ok' }).source).toBe('100%25%20ok');
    expect(importLine({ source: 's'.repeat(400) }).source).toHaveLength(256);
  });

  it.each(IMPORT_MAPPINGS.map(({ name }) => [name]))(
    'mapping %s makes a valid record even of an empty object',
    (name) => {
      const event = importLine('{}', contextOf(name));
      expect(parseAuditEvent(toRecord(event, NOW), NOW)).toMatchObject({ ok: true });
    },
  );

  it('reads its own members only', () => {
    expect(importLine({ action: 'a.b' }).headers.audit.actor).toBeUndefined();
    expect(importLine({ target: { constructor: 'x' } }).headers.audit.targets).toEqual([]);
  });
});

describe('the sample of npm start', () => {
  it('is twenty CloudTrail records with ids of their own', () => {
    const lines = readFileSync(new URL('../../examples/sample-cloudtrail.ndjson', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    const events = lines.map((line) => importLine(line, contextOf('cloudtrail')));
    expect(new Set(events.map(({ id }) => id)).size).toBe(20);
    for (const event of events) expect(parseAuditEvent(toRecord(event, NOW), NOW)).toMatchObject({ ok: true });
    expect(new Set(events.map(({ headers }) => headers.audit.outcome))).toEqual(
      new Set(['success', 'failure', 'denied']),
    );
  });
});
