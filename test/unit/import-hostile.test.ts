/**
 * Lines made to take long: whoever writes them chooses every character. Nothing here is fake. No test looks at a clock; one
 * that needs steps in the square of a line's length outlives its own time.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { applyRule, type ImportMapping } from '../../src/application/delivery/import/mapping.js';
import { IMPORT_MAPPINGS } from '../../src/application/delivery/import/mappings/index.js';
import { readStorableJson } from '../../src/application/delivery/import/storable-json.js';
import { toImportedEvent } from '../../src/application/delivery/import/to-imported-event.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const LONG = 256 * 1_024;
const PATIENCE_MS = 20_000;

/** A test's time is looked at between turns of the event loop only. */
async function inTime<T>(work: () => T): Promise<T> {
  const result = work();
  await turn();
  return result;
}

const repeated = (text: string) => text.repeat(Math.ceil(LONG / text.length));
const WINDOWS = 'LogName=Security\nEventCode=4624\n';

describe('a text', () => {
  const texts: [string, string][] = [
    ['capitals', repeated('A')],
    ['dots', repeated('.')],
    ['line ends', `a${repeated('\n')}b`],
    ['segments', repeated('a.')],
    ['words', repeated('access_')],
    ['blanks', `a${repeated(' ')}b`],
    ['digits', `${repeated('1')}x`],
    ['Windows: line ends', `${WINDOWS}${repeated('\n')}x`],
    ['Windows: blocks', `${WINDOWS}${repeated('Subject:\n')}`],
    ['Windows: lines of a block', `${WINDOWS}Subject:\n${repeated(' x\n')}`],
    ['Windows: blanks of a line', `${WINDOWS}Subject:\n${repeated(' ')}x`],
    ['Windows: blanks after a label', `${WINDOWS}Status:${repeated(' ')}\n\nx`],
    ['Windows: codes', `${WINDOWS}${repeated('EventID ')}`],
    ['Windows: times', `${WINDOWS}${repeated('[ SystemTime] x')}`],
  ];
  it.each(texts)(
    'is looked at by every pattern of every mapping: %s',
    async (_, text) => {
      const patterns = patternsOf(IMPORT_MAPPINGS);
      expect(patterns.size).toBeGreaterThan(100);
      for (const pattern of patterns) await inTime(() => applyRule({ of: '/text', pick: pattern }, { text }));
    },
    PATIENCE_MS,
  );

  it.each(['A', '.', 'a.', '_v1', '%', '\u0001x'])(
    'becomes the action, the source and the id of an event: %j again and again',
    async (unit) => {
      for (const name of ['action', 'source', 'id']) {
        expect(await inTime(() => mapped({ [name]: repeated(unit) }))).toMatchObject({ ok: true });
      }
    },
    PATIENCE_MS,
  );

  it('of sixteen MiB exhausts no stack', () => {
    const eventType = `a${'.a'.repeat(8 * 1_024 * 1_024)}!`;
    expect(mapped({ eventType })).toMatchObject({ ok: true, unrecognized: 'none' });
  });
});

describe('JSON', () => {
  const read = async (text: string) => {
    const result = await inTime(() => readStorableJson(text, 31));
    if (!result.ok) throw new Error(result.reason);
    return result;
  };

  it(
    'with one name a hundred thousand times keeps each of them',
    async () => {
      const { value, changes } = await read(`{${Array.from({ length: 100_000 }, () => '"a":1').join()}}`);
      expect(Object.keys(value)).toHaveLength(100_000);
      expect(changes.repeatedKeys).toHaveLength(99_999);
      expect(value).toHaveProperty('a#100000');
    },
    PATIENCE_MS,
  );

  it(
    'with a number of a quarter of a million zeros keeps it as it is written',
    async () => {
      const zeros = repeated('0');
      for (const literal of [`0.1${zeros}1`, `1${zeros}1`, `0.${zeros}`]) {
        const { value, changes } = await read(`{"n":${literal}}`);
        expect(value.n).toBe(literal.endsWith('1') ? literal : 0);
        expect(changes.numbersAsStrings).toHaveLength(literal.endsWith('1') ? 1 : 0);
      }
    },
    PATIENCE_MS,
  );

  it('with a long name says it once, not with everything that was changed below it, and tells two such names apart', async () => {
    const long = repeated('k');
    const { changes } = await read(`{"${long}1":[${Array(10_000).fill('1e999').join()}],"${long}2":[1e999]}`);
    expect(changes.numbersAsStrings).toHaveLength(10_001);
    expect(Math.max(...changes.numbersAsStrings.map((pointer) => pointer.length))).toBeLessThan(200);
    expect(new Set(changes.numbersAsStrings).size).toBe(10_001);
  });
});

function mapped(line: object) {
  const context = { mapping: null, deployment: 'main', tenantId: '', now: NOW };
  return toImportedEvent(Buffer.from(JSON.stringify(line)), context);
}

/** Of the conditions, the picks and the cases, wherever in the tables they stand. */
function patternsOf(mappings: readonly ImportMapping[]): Set<string> {
  const found = new Set<string>();
  const open: unknown[] = [...mappings];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    const { pick, matches, cases = [] } = next as { pick?: string; matches?: string; cases?: [string, string][] };
    for (const pattern of [pick, matches, ...cases.map(([one]) => one)]) if (pattern !== undefined) found.add(pattern);
    open.push(...Object.values(next));
  }
  return found;
}
