/**
 * Real: PostgreSQL, the migrated outbox, files on disk, processes of the built command that are interrupted and killed. Nothing is fake but the
 * streams that collect what is printed. All data but the real events (read where they stand) is invented.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { importEvents } from '../../src/application/delivery/import/import-events.js';
import { findMapping } from '../../src/application/delivery/import/mappings/index.js';
import type { ImportedEvent, ImportStore } from '../../src/application/delivery/import/ports.js';
import { createImportStore } from '../../src/infrastructure/prisma/import-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { type ImportRequest, runImport } from '../../src/main/import.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { EXPECTED_IMPORTS } from '../support/real-events.js';

let databases: TestDatabases;
let pool: PgPool;
const folder = mkdtempSync(join(tmpdir(), 'outbox-import-'));

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 4 });
});
afterEach(async () => {
  await pool.query('DELETE FROM outbox.event');
  await pool.query('DELETE FROM outbox.delivery');
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
  rmSync(folder, { recursive: true });
});

function fileOf(name: string, lines: readonly (string | object)[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  return path;
}

async function runOn(file: string, overrides: Partial<ImportRequest> = {}) {
  const out = collect();
  const err = collect();
  const options = { file, mapping: 'default', outboxUrl: databases.outboxUrl, out: out.stream, err: err.stream };
  const code = await runImport({ ...options, ...overrides });
  return { code, out: out.text(), err: err.text() };
}

async function runJson(file: string, overrides: Partial<ImportRequest> = {}) {
  const { code, out, err } = await runOn(file, { ...overrides, json: true });
  return { code, err, summary: JSON.parse(out) };
}

function collect() {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

async function countRows() {
  const { rows } = await pool.query<{ events: number; deliveries: number }>(
    `SELECT (SELECT count(*)::int FROM outbox.event) AS events,
            (SELECT count(*)::int FROM outbox.delivery WHERE status = 'PENDING') AS deliveries`,
  );
  return rows[0];
}

const event = (n: number, more: object = {}) => ({
  id: `e-${n}`,
  action: 'thing.create',
  time: '2026-01-01T00:00:00Z',
  ...more,
});

describe('outbox import', () => {
  it('R25: the sample comes in once, and a second run is twenty replays', async () => {
    const file = fileURLToPath(new URL('../../examples/sample-cloudtrail.ndjson', import.meta.url));
    const first = await runJson(file, { mapping: 'cloudtrail', tenant: 'acme' });
    expect(first).toMatchObject({ code: 0, err: '', summary: { lines: 20, imported: 20, replayed: 0, refused: 0 } });
    const second = await runJson(file, { mapping: 'cloudtrail', tenant: 'acme' });
    expect(second).toMatchObject({ code: 0, err: '', summary: { lines: 20, imported: 0, replayed: 20, refused: 0 } });
    expect(await countRows()).toEqual({ events: 20, deliveries: 20 });

    const { rows } = await pool.query(
      `SELECT e.*, d.destination, d.tenant FROM outbox.event e JOIN outbox.delivery d ON d.event_id = e.id
       WHERE e.event_name = 'aws.iam.create_user.v1'`,
    );
    expect(rows).toMatchObject([
      {
        event_type: 'IMPORT',
        routing_key: 'audit.log',
        destination: 'audit.log',
        source: 'iam.amazonaws.com',
        tenant_id: 'acme',
        tenant: 'acme',
        aggregate_type: 'user',
        aggregate_id: 'arn:aws:iam::000000000000:user/linus',
        payload: { eventName: 'CreateUser' },
        headers: {
          audit: { action: 'aws.iam.create_user', operation: 'create', metadata: { importMapping: 'cloudtrail' } },
          import: { sourceEventId: '20000000-0000-4000-8000-000000000004' },
        },
        occurred_at: new Date('2026-11-02T08:04:00Z'),
      },
    ]);
  });

  it('B30: each bad line is named, the rest goes in, the exit code says so', async () => {
    const file = fileOf('b30.ndjson', [
      event(1),
      '{"id":"e-2","secret":"hunter2"',
      event(1, { action: 'thing.delete' }),
      event(1),
      '',
      event(3, { blob: 'x'.repeat(60_000) }),
      event(4, { time: '2026-01-01T00:00:00' }),
      '[1]',
      event(5),
    ]);
    const { code, err, summary } = await runJson(file);
    expect(code).toBe(65);
    expect(summary).toMatchObject({ lines: 8, imported: 3, replayed: 1, refused: 4, truncated: 1, exitCode: 65 });
    expect(summary.refusals).toEqual([
      { line: 2, reason: expect.stringMatching(/^not valid JSON/) },
      { line: 3, reason: 'the id "e-1" stands already with other content' },
      { line: 7, reason: 'its time has no zone' },
      { line: 8, reason: 'expected a JSON object' },
    ]);
    expect(err.split('\n').filter(Boolean)).toHaveLength(4);
    expect(err).not.toContain('hunter2');
    expect(await countRows()).toEqual({ events: 3, deliveries: 3 });

    const again = await runJson(file);
    expect(again.summary).toMatchObject({ imported: 0, replayed: 4, refused: 4 });
  });

  it('R25: another content of an id that stands is refused in a later run, and what stands stays', async () => {
    await runJson(fileOf('first.ndjson', [event(1)]));
    const { code, err } = await runJson(fileOf('second.ndjson', [event(1, { action: 'thing.delete' }), event(2)]));
    expect(code).toBe(65);
    expect(JSON.parse(err)).toEqual({ refused: { line: 1, reason: 'the id "e-1" stands already with other content' } });
    const { rows } = await pool.query('SELECT event_name FROM outbox.event ORDER BY event_name');
    expect(rows).toEqual([{ event_name: 'thing.create.v1' }, { event_name: 'thing.create.v1' }]);
  });

  it('an event without a time is a replay too, although each run has another time', async () => {
    const file = fileOf('timeless.ndjson', [{ id: 'e-1' }]);
    expect((await runJson(file)).summary).toMatchObject({ imported: 1, timeMissing: 1 });
    expect((await runJson(file)).summary).toMatchObject({ imported: 0, replayed: 1 });
  });

  it('whatever JSON can hold goes in: U+0000, lone surrogates, deep nesting, huge numbers, prototype keys', async () => {
    const file = fileOf('nasty.ndjson', [
      String.raw`{"id":"a\u0000b","x":"\ud800","__proto__":{"n":123456789012345678901234567890}}`,
      `{"id":"deep","a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      `{"id":"small","a":[${Array(5_000).fill('1e-300').join(',')}]}`,
      `{"id":"wide","targets":[${Array(500).fill('{"type":"漢漢","id":"漢漢漢"}').join(',')}]}`,
    ]);
    const { code, summary } = await runJson(file);
    expect(summary.refusals).toEqual([]);
    expect(code).toBe(0);
    const { rows } = await pool.query(
      `SELECT payload, headers FROM outbox.event WHERE headers->'import' ? 'escaped' ORDER BY recorded_at`,
    );
    expect(rows).toMatchObject([
      {
        payload: { id: 'a\\u0000b', x: '\\ud800', '\\u005f_proto__': { n: '123456789012345678901234567890' } },
        headers: { import: { numbersAsStrings: { count: 1, paths: ['/__proto__/n'] } } },
      },
    ]);
  });

  it('two imports of one file at once bring each event in once', async () => {
    const file = fileOf(
      'race.ndjson',
      Array.from({ length: 3_000 }, (_, n) => event(n)),
    );
    const [a, b] = await Promise.all([runJson(file), runJson(file)]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(a.summary.imported + b.summary.imported).toBe(3_000);
    expect(a.summary.replayed + b.summary.replayed).toBe(3_000);
    expect(await countRows()).toEqual({ events: 3_000, deliveries: 3_000 });
  });

  it('another import that commits between reading and appending makes a replay, not a failure', async () => {
    const store = createImportStore(pool);
    let raced = false;
    const racing: ImportStore = {
      findImported: store.findImported,
      append: async (events: readonly ImportedEvent[]) => {
        if (!raced) {
          raced = true;
          await store.append(events.slice(0, 2));
        }
        return store.append(events);
      },
    };
    const { result } = await importLines([event(1), event(2), event(3)], racing);
    expect(result).toMatchObject({ imported: 1, replayed: 2, refused: 0 });
    expect(await countRows()).toEqual({ events: 3, deliveries: 3 });
  });

  it('one event that the database refuses does not keep out its batch', async () => {
    const store = createImportStore(pool);
    // Past every check of ours: what only the database knows.
    const spoiling: ImportStore = {
      findImported: store.findImported,
      append: (events) =>
        store.append(
          events.map((item) => (item.headers.import.sourceEventId === 'e-7' ? { ...item, eventName: '!' } : item)),
        ),
    };
    const lines = Array.from({ length: 20 }, (_, n) => event(n));
    const { result, refused } = await importLines([...lines, event(7)], spoiling);
    expect(result).toMatchObject({ lines: 21, imported: 19, replayed: 0, refused: 2 });
    expect(refused.map(([line]) => line)).toEqual([8, 21]);
    expect(refused[0]?.[1]).toMatch(/^the database refuses it: eventName: expected/);
  });

  it('ends after the batch at hand when told to, and goes on from there', async () => {
    const controller = new AbortController();
    const lines = Array.from({ length: 1_000 }, (_, n) => event(n));
    const stopped = await importLines(lines, createImportStore(pool), controller, (line) => {
      if (line === 400) controller.abort();
    });
    expect(stopped.result).toMatchObject({ ended: 'aborted', lastLine: 400, imported: 400 });
    expect(await countRows()).toEqual({ events: 400, deliveries: 400 });
    const rest = await importLines(lines, createImportStore(pool));
    expect(rest.result).toMatchObject({ ended: 'complete', imported: 600, replayed: 400 });
  });

  it('a stopped run says how far it came and answers 130', async () => {
    const file = fileOf(
      'stop.ndjson',
      Array.from({ length: 500 }, (_, n) => event(n)),
    );
    const { code, out } = await runOn(file, { signal: AbortSignal.abort() });
    expect(code).toBe(130);
    expect(out).toMatch(/Stopped after line 200: run the same command again to go on/);
    expect(await countRows()).toEqual({ events: 200, deliveries: 200 });
  });

  it('SIGINT ends the process in order: it says how far it came, and the next run goes on', async () => {
    const file = fileOf('sigint.ndjson', manyEvents());
    const held = await holdImport(`e-${MANY / 2}`);
    const child = startCli(file);
    try {
      await held.reached();
      child.process.kill('SIGINT');
    } catch (error) {
      child.process.kill('SIGKILL'); // or it would write into the tests that come after
      throw error;
    } finally {
      await held.letGo();
    }
    expect(await child.exited).toBe(130);
    expect(child.out()).toMatch(/Stopped after line \d+: run the same command again/);
    const stands = (await countRows())?.events ?? 0;
    expect(child.out()).toContain(`${stands} imported`);
    expect(stands).toBeLessThan(MANY);
    expect((await runJson(file)).summary).toMatchObject({ lines: MANY, replayed: stands, imported: MANY - stands });
  });

  it('R25: killed at any moment, the next run brings in exactly what is missing', async () => {
    const file = fileOf('sigkill.ndjson', manyEvents());
    const child = startCli(file);
    await untilRows();
    child.process.kill('SIGKILL');
    await child.exited;
    const { code, summary } = await runJson(file);
    expect(code).toBe(0);
    expect(summary).toMatchObject({ lines: MANY, refused: 0 });
    expect(summary.replayed).toBeGreaterThan(0);
    expect(await countRows()).toEqual({ events: MANY, deliveries: MANY });
  });

  it('reads no further ahead than a batch', async () => {
    let pulled = 0;
    const source = (async function* () {
      for (let n = 0; n < 1_000; n += 1) {
        pulled = n + 1;
        yield Buffer.from(`${JSON.stringify(event(n))}\n`);
      }
    })();
    const seen: number[] = [];
    const mapping = findMapping('default');
    if (mapping === undefined) throw new Error('no default mapping');
    await importEvents(
      source,
      { mapping, deployment: 'main', tenantId: '', batchSize: 50 },
      {
        store: createImportStore(pool),
        onRefused: () => undefined,
        onProgress: ({ lastLine }) => seen.push(pulled - lastLine),
        signal: new AbortController().signal,
      },
    );
    expect(Math.max(...seen)).toBe(0);
  });
});

describe('what outbox import says', () => {
  it('in a pipe plain lines, nothing of a terminal', async () => {
    const { code, out, err } = await runOn(fileOf('plain.ndjson', [event(1), '{']));
    expect(code).toBe(65);
    expect(out).toMatch(
      /^Importing .*plain\.ndjson .*\n.*2 events: 1 imported, 0 replayed, 1 refused\nRefused lines are/,
    );
    expect(err).toMatch(/^line 2: refused: not valid JSON.*\n$/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what must not be there
    expect(out).not.toMatch(/\u001b/);
  });

  it('on a terminal a bar, then the refused lines and the counts', async () => {
    const out = terminal();
    const err = terminal();
    const file = fileOf('bar.ndjson', [event(1), '{']);
    const code = await runOn(file, { isTTY: true, out: out.stream, err: err.stream });
    expect(code.code).toBe(65);
    expect(out.text()).toContain('█');
    expect(out.text()).toContain('1 imported, 0 replayed, 1 refused');
    expect(err.text()).toContain('line 2: refused: not valid JSON');
  });

  it('foreign ids are shown as printable ASCII', async () => {
    const id = '\u001b[31mred\u202e\u0007';
    const { err } = await runOn(fileOf('ansi.ndjson', [event(1, { id }), event(1, { id, action: 'thing.delete' })]));
    expect(err).toBe('line 2: refused: the id "\\u001b[31mred\\u202e\\u0007" stands already with other content\n');
  });

  it('without a mapping each line takes the one that recognises it; what was left to the default one is counted', async () => {
    const k8s = { kind: 'Event', apiVersion: 'audit.k8s.io/v1', auditID: 'a-1', stage: 'Panic', verb: 'get' };
    const okta = { eventType: 'user.session.start', published: '2026-01-01T00:00:00Z', uuid: 'u-1' };
    const file = fileOf('mixed.ndjson', [k8s, okta, okta, event(1), { ...k8s, ...okta, uuid: 'u-2' }, '{"broken"']);
    const { code, summary } = await runJson(file, { mapping: undefined });
    expect(code).toBe(65);
    expect(summary).toMatchObject({
      mapping: null,
      imported: 4,
      replayed: 1,
      refused: 1,
      byMapping: { 'kubernetes-audit': 1, okta: 2, default: 2 },
      unrecognized: { none: 1, several: 1 },
    });
    const { out } = await runOn(file, { mapping: undefined });
    expect(out).toContain(
      'Read 1 as kubernetes-audit, 2 as okta, 2 as default; as default for want of one: 1 that no mapping recognises, 1 that more than one does\n',
    );
    const named = await runJson(fileOf('named.ndjson', [event(9)]));
    expect(named.summary).toMatchObject({
      mapping: 'default',
      byMapping: { default: 1 },
      unrecognized: { none: 0, several: 0 },
    });
    expect((await runOn(fileOf('named.ndjson', [event(9)]))).out).not.toContain('Read ');
  });

  it('an unknown mapping: the known ones, 64', async () => {
    const { code, err } = await runOn(fileOf('any.ndjson', [event(1)]), { mapping: 'splunk' });
    expect(code).toBe(64);
    expect(err).toMatch(/--mapping: none is named "splunk"; known are\n {2}cloudtrail: .*\n(.*\n)* {2}default: /);
  });

  it('no file, or a folder: 66', async () => {
    expect(await runOn(join(folder, 'missing.ndjson'))).toMatchObject({ code: 66, out: '' });
    expect(await runOn(folder)).toMatchObject({ code: 66, out: '' });
  });

  it('another deployment than the stored one: 78, nothing imported', async () => {
    const file = fileOf('deployment.ndjson', [event(1)]);
    expect(await runOn(file, { deployment: 'elsewhere' })).toMatchObject({ code: 78 });
    expect(await countRows()).toEqual({ events: 0, deliveries: 0 });
  });

  it('a database without an outbox: 78; none at all: 69', async () => {
    const file = fileOf('nowhere.ndjson', [event(1)]);
    const bare = await runOn(file, { outboxUrl: databases.auditUrl });
    expect(bare.code).toBe(78);
    expect(bare.err).toContain('outbox migrate deploy');
    const away = new URL(databases.outboxUrl);
    away.port = '1';
    expect(await runOn(file, { outboxUrl: away.href })).toMatchObject({ code: 69 });
  });
});

const realEvents =
  process.env.OUTBOX_REAL_EVENTS_DIR ?? fileURLToPath(new URL('../../../shared/data/real-events', import.meta.url));
const present = existsSync(realEvents);
if (!present) console.warn(`SKIPPED: no real events at ${realEvents}; OUTBOX_REAL_EVENTS_DIR names another folder`);

(present ? describe : describe.skip)('real events in a real outbox', () => {
  it.each(EXPECTED_IMPORTS)(
    '$file with $mapping comes in as expected, and a second run adds nothing',
    async (expected) => {
      const { file, mapping, ...counts } = expected;
      const first = await runJson(join(realEvents, file), { mapping });
      expect(first.summary).toMatchObject({ ...counts, truncated: 0 });
      expect(first.code).toBe(counts.refused > 0 ? 65 : 0);
      const second = await runJson(join(realEvents, file), { mapping });
      const replayed = counts.lines - counts.refused;
      expect(second.summary).toMatchObject({ lines: counts.lines, imported: 0, replayed, refused: counts.refused });
      expect(await countRows()).toEqual({ events: counts.imported, deliveries: counts.imported });
    },
  );
});

async function importLines(
  lines: readonly object[],
  store: ImportStore,
  controller = new AbortController(),
  onLine: (line: number) => void = () => undefined,
) {
  const mapping = findMapping('default');
  if (mapping === undefined) throw new Error('no default mapping');
  const refused: [number, string][] = [];
  const stream = PassThrough.from([Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))]);
  const result = await importEvents(
    stream,
    { mapping, deployment: 'main', tenantId: '' },
    {
      store,
      onRefused: (line, reason) => refused.push([line, reason]),
      onProgress: ({ lastLine }) => onLine(lastLine),
      signal: controller.signal,
    },
  );
  return { result, refused };
}

function terminal() {
  const { stream, text } = collect();
  return { stream: Object.assign(stream, { isTTY: true, columns: 120, rows: 40 }), text };
}

const MANY = 10_000;

function manyEvents(): object[] {
  return Array.from({ length: MANY }, (_, n) => event(n));
}

/** The built command, as its users run it. */
function startCli(file: string) {
  const cli = fileURLToPath(new URL('../../dist/src/cli/outbox.js', import.meta.url));
  const child = spawn(process.execPath, [cli, 'import', file, '--mapping', 'default'], {
    env: { PATH: process.env.PATH, OUTBOX_DATABASE_URL: databases.outboxUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { process: child, exited, out: () => out };
}

/** Stops an import at one of its events, in the middle of a statement, until it is let go; the trigger then holds nothing any more. */
async function holdImport(sourceEventId: string) {
  const holder = await pool.connect();
  await holder.query('SELECT pg_advisory_lock(25)');
  await holder.query(`
    CREATE FUNCTION public.wait_there() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(25); RETURN NEW; END $$;
    CREATE TRIGGER wait_there BEFORE INSERT ON outbox.event FOR EACH ROW
      WHEN (NEW.headers->'import'->>'sourceEventId' = '${sourceEventId}') EXECUTE FUNCTION public.wait_there()`);
  const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 25 AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  return {
    reached: () =>
      eventually('the import to have come there', async () => (await holder.query(waiting)).rowCount === 1),
    async letGo() {
      await holder.query('SELECT pg_advisory_unlock(25)');
      holder.release();
    },
  };
}

async function untilRows(): Promise<void> {
  while (((await countRows())?.events ?? 0) === 0) await new Promise((resolve) => setImmediate(resolve));
}
