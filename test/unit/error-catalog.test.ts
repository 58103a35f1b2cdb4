/** Pure: the catalogue beside docs/errors.md and the page of each code, both ways. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  type CatalogEntry,
  catalogEntry,
  type DefaultRule,
  ERROR_CODES,
  isErrorCode,
} from '../../src/domain/delivery/error-catalog.js';
import type { Backoff } from '../../src/domain/delivery/policy.js';

const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');
const doc = read('errors.md');

describe('docs/errors.md', () => {
  it('has exactly the row of every code of the catalogue, in its order', () => {
    const rows = doc.split('\n').filter((line) => line.startsWith('| [`'));
    expect(rows).toEqual(ERROR_CODES.map((code) => row(code, catalogEntry(code))));
  });
});

describe('docs/errors', () => {
  it('has a page for each code and none for anything else', () => {
    const pages = readdirSync(new URL('../../docs/errors', import.meta.url));
    expect(pages.sort()).toEqual(ERROR_CODES.map((code) => `${code}.md`).sort());
  });

  it.each(ERROR_CODES)('%s.md opens with what the catalogue says, and says what to do', (code) => {
    const { message, rule, spends, effect } = catalogEntry(code);
    const page = read(`errors/${code}.md`);
    const facts = `*${describeRule(rule)} · spends: ${spends ? 'yes' : 'no'} · effect: ${effect}*`;
    expect(page.split('\n\n').slice(0, 3)).toEqual([`# \`${code}\``, `${message}.`, facts]);
    expect(page).toContain('\n**Do**\n');
    const lines = page.trimEnd().split('\n').length;
    expect(lines >= 15 && lines <= 30).toBe(true);
  });
});

describe('the catalogue', () => {
  it('knows its own codes and nothing else', () => {
    expect(ERROR_CODES.every(isErrorCode)).toBe(true);
    for (const other of ['', 'HTTP.TEAPOT', 'toString', '__proto__', 7, null, undefined]) {
      expect(isErrorCode(other)).toBe(false);
    }
  });

  it('says of every code what a person should do', () => {
    for (const code of ERROR_CODES) expect(catalogEntry(code).advice).toMatch(/^[A-Z][^|]{5,120}$/);
  });

  it('lets nothing of the event or the answer into the sentence that reaches Temporal', () => {
    for (const code of ERROR_CODES) expect(catalogEntry(code).message).toMatch(/^[A-Z][A-Za-z ,']{10,80}$/);
  });

  it('R12: spends nothing on a wait, an own shutdown, a lost attempt or a verdict about attempts', () => {
    expect(ERROR_CODES.filter((code) => !catalogEntry(code).spends)).toEqual([
      'DESTINATION.OPEN',
      'DESTINATION.BUSY',
      'STORE.UNAVAILABLE',
      'DELIVERY.ATTEMPT_LOST',
      'DELIVERY.CANCELLED',
      'DELIVERY.CRASH_LOOP',
      'DELIVERY.DEADLINE',
      'WORKFLOW.TERMINATED',
      'WORKFLOW.LOST',
      'WORKFLOW.STUCK',
    ]);
  });
});

function row(code: string, entry: CatalogEntry): string {
  const { when, rule, spends, effect, message, advice } = entry;
  return `| [\`${code}\`](errors/${code}.md) | ${when} | ${describeRule(rule)} | ${spends ? 'yes' : 'no'} | ${effect} | ${message} | ${advice} |`;
}

function describeRule(rule: DefaultRule): string {
  switch (rule.kind) {
    case 'final':
      return 'final';
    case 'wait':
      return `again in ${rule.minMs / 1000} to ${(rule.minMs + rule.spreadMs) / 1000} s, without end`;
    case 'retry': {
      const pace = rule.backoff === null ? 'policy' : describeBackoff(rule.backoff);
      const tries = rule.attempts === null ? '' : `, ${rule.attempts} tries`;
      return `retry: ${pace}${tries}${rule.honoursRetryAfter ? ', after what Retry-After says' : ''}`;
    }
  }
}

function describeBackoff(backoff: Backoff): string {
  if (backoff.kind !== 'fixed') throw new Error(`docs/errors.md has no words for "${backoff.kind}" yet`);
  return `every ${backoff.intervalMs / 1000} s`;
}
