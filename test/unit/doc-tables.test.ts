/** Real: tables of the documents that name what the code has a closed list of. Fake: nothing. */
import { readFileSync } from 'node:fs';
import { SPAN_ATTRIBUTES } from '../../src/application/tracing.js';
import { OVERVIEW_PARTS } from '../../src/contract/overview-api.js';
import { ALERT_WORDS } from '../../src/contract/verdict.js';

/** What stands in backquotes in the first column, row for row, of the table whose head begins so. */
function namesOf(path: string, head: string): string[] {
  const lines = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').split('\n');
  const from = lines.findIndex((line) => line.startsWith(head));
  const rows = lines.slice(from + 2);
  const body = from === -1 ? [] : rows.slice(0, rows.indexOf(''));
  return body.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name as string));
}

it('docs/running.md names each part of the overview, once', () => {
  expect(namesOf('docs/running.md', '| `name`, `part` |').sort()).toEqual([...OVERVIEW_PARTS].sort());
});

it('docs/notifications.md says of each alert what to do, and of no other', () => {
  expect(namesOf('docs/notifications.md', '| alert | raised when |').sort()).toEqual(Object.keys(ALERT_WORDS).sort());
});

it('docs/tracing.md lists each attribute of a span with what it means, and no other', () => {
  const text = readFileSync(new URL('../../docs/tracing.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([\w.]+)` \| (.*) \|$/gm)].map(([, name, means]) => [name, `${means}.`]);
  expect(rows.filter(([name]) => !/^OTEL_/.test(name as string))).toEqual(Object.entries(SPAN_ATTRIBUTES));
});
