// Real: pino writing to a file, the redactor. Nothing is fake.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { createLogger } from '../../src/infrastructure/log/create-logger.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbox-log-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function linesOf(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const file = join(folder, 'log');
  const redactor = createRedactor({ keys: ['diagnosis'], patterns: [/case-\d+/g] });
  write(createLogger({ level: 'debug', base: { role: 'worker' }, redactor, file }));
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

it('B18: one log line, whatever breaks lines in the text', () => {
  const text = 'a\r\nb\u0085c\u2028{"level":"error"}\u2029d\u000be';
  linesOf((log) => log.info({ text }, text));
  const written = readFileSync(join(folder, 'log'), 'utf8');
  // Those of ECMAScript, of Unicode, and of a terminal.
  expect(written.split(/[\n\r\u0085\u2028\u2029\v\f]/)).toEqual([expect.stringMatching(/^\{.*\}$/), '']);
  expect(JSON.parse(written)).toMatchObject({ text, msg: text });
});

const SECRET = 'postgres://app:hush@db.example/x refused ada@hush.example, token=hush, case-77';

it('no field, message, error, cause or lone error of a line shows a secret or personal data', () => {
  const error = Object.assign(new Error(SECRET, { cause: new Error(SECRET, { cause: 'password: hush' }) }), {
    detail: 'Key (name)=(hush) exists',
    code: '23505',
  });
  const lines = linesOf((log) => {
    log.warn({ err: error, error, reason: SECRET, list: [{ note: SECRET, inner: error }] }, SECRET);
    log.error(error);
    log.error(error, SECRET);
    log.info(SECRET);
    log.info({ apiKey: 'hush', Set_Cookie: 'hush', payload: { a: 'hush' }, lastDiagnosis: 'hush' }, 'named');
    log.child({}).info({ deep: { deeper: { secret: 'hush', body: 'hush' } } }, 'child');
  });
  expect(lines).toHaveLength(6);
  expect(JSON.stringify(lines)).not.toMatch(/hush|case-77/);
  expect(lines[0]).toMatchObject({
    level: 'warn',
    role: 'worker',
    err: {
      name: 'Error',
      code: '23505',
      stack: expect.stringContaining('create-logger.test'),
      cause: { cause: 'password: [redacted]' },
    },
    msg: 'postgres://[redacted credentials]@db.example/x refused [redacted email], token=[redacted], [redacted]',
  });
  expect(lines[4]).toMatchObject({ apiKey: '[redacted]', payload: '[redacted]', msg: 'named' });
});

it('ids, times, numbers, addresses of servers and stacks stay readable', () => {
  const fields = {
    eventId: '0197d3a0-0000-7000-8000-000000000001',
    worker: 'host:4711#1',
    at: new Date(0),
    durationMs: 12,
    counters: { fenced_settles: 0 },
    server: '10.0.0.5:7233',
  };
  expect(linesOf((log) => log.info(fields, 'delivery.attempted'))).toEqual([
    expect.objectContaining({ ...fields, at: '1970-01-01T00:00:00.000Z', msg: 'delivery.attempted' }),
  ]);
});

it('a line with a getter that throws, or a circle, is written all the same', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const hostile = Object.defineProperty({}, 'x', { enumerable: true, get: () => JSON.parse('no') });
  const lines = linesOf((log) => {
    log.info({ circle }, 'one');
    log.info({ hostile }, 'two');
  });
  expect(lines.map(({ msg }) => msg)).toEqual(['one', 'two']);
});

it('no name stands twice in a line: what the line says goes before what every line has', () => {
  const file = join(folder, 'log');
  const redactor = createRedactor();
  const log = createLogger({ level: 'info', base: { role: 'api', deployment: 'main' }, redactor, file });
  log.info({ deployment: 'other' }, 'said');
  log.info('plain');
  const [said = '', plain = ''] = readFileSync(file, 'utf8').split('\n');
  expect(said.match(/"deployment":/g)).toHaveLength(1);
  expect(JSON.parse(said)).toMatchObject({ role: 'api', deployment: 'other', msg: 'said' });
  expect(JSON.parse(plain)).toMatchObject({ role: 'api', deployment: 'main', msg: 'plain' });
});
