// Real: `outbox dev` as its user runs it, with the PostgreSQL, Temporal and roles that it starts itself, in a private folder.
// Fake: `go`, where a build is interrupted.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, isAlive, numberWrittenIn, outboxCli, runOutboxCli } from '../support/outbox-cli.js';
import { temporalCli } from '../support/temporal.js';

const folders: string[] = [];
const environment = () => ({ TEMPORAL_CLI_PATH: temporalCli(), OUTBOX_API_PORT: '18080', OUTBOX_PROBE_PORT: '18081' });

async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-dev-')); // 0700, as mkdtemp makes it
  folders.push(folder);
  return folder;
}

let used: Promise<string> | null = null;
/** Of several tests, for what is the same on new data and on old: the second start is quicker by all that the first one makes. */
const usedFolder = () => (used ??= dataFolder());

/** The servers that a start recorded in its data folder. */
async function serversOf(folder: string): Promise<number[]> {
  const pids = await Promise.all(
    ['postgres.pid', 'temporal.pid'].map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  );
  return pids.filter((text) => text !== '').map((text) => Number(text.split('\n')[0]));
}

afterEach(() => endLeftoverCli());
afterAll(async () => {
  for (const folder of folders) {
    for (const pid of await serversOf(folder)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
});

describe('outbox dev', () => {
  it('runs once: prints plain lines in a pipe, agrees with itself, and again on the same data', async () => {
    const folder = await dataFolder();
    // What a user has for other servers: without an address it is for none of these.
    const profile = join(folder, 'temporal.toml');
    await writeFile(profile, '[profile.default]\nnamespace = "cloud"\n[profile.default.tls]\nserver_name = "cloud"\n');
    const first = await runOutboxCli(['dev', '--once', '--data-dir', folder], {
      ...environment(),
      TEMPORAL_CONFIG_FILE: profile,
      TEMPORAL_API_KEY: 'of-another-server',
      OUTBOX_AUDIT_URL: 'http://127.0.0.1:1',
      OUTBOX_AUDIT_API_KEY: 'of-another-audit-log',
    });
    expect(first.printed).toContain('The books agree');
    expect(first.printed).toContain('TEMPORAL_API_KEY left aside');
    // Everything is in the folder, also what belongs to PostgreSQL's own user.
    expect(await readdir(join(folder, 'postgres'))).toContain('PG_VERSION');
    expect(first.code).toBe(0);
    expect(first.printed).toMatch(/PostgreSQL \(.*\)[\s\S]*Temporal[\s\S]*Migrations[\s\S]*api, relay and worker/);
    expect(first.printed).toContain(
      'expects   with seed 1: 182 events committed, 20 rolled back; of the committed 175 delivered the first time, 4 after retries',
    );
    expect(first.printed).toContain('expects   3 dead letters (the partner answers 422), 1 notice of them;');
    expect(first.printed).toContain('expects   an import of 20 lines');
    expect(first.printed).toContain(
      'produced  182 events committed, 20 rolled back; import: 20 new, 0 there already\n',
    );
    expect(first.printed).toContain('journal   182 committed, 20 rolled back\n');
    expect(first.printed).toContain(
      'outbox    182 delivered, 0 dead, 0 under way; of the import 20 delivered, 0 dead, 0 under way\n',
    );
    expect(first.printed).toContain('audit log 181 records\n');
    expect(first.printed).toContain('partner   22 orders taken, 4 after 503, 3 after 422\n');
    expect(first.printed).toMatch(/^notice {4}\d dead letters?: ORDER, HTTP\.CLIENT_ERROR /m);
    expect(first.printed).toContain('mended    the partner: 3 of 3 dead letters redriven\n');
    expect(first.printed).toContain(
      'redrives  events that tell the audit log of them: 1 delivered, 0 dead, 0 under way\n',
    );
    // A loaded machine may retry more than was asked for, and take longer than a window between two letters.
    expect(first.printed).toMatch(
      /outcome {3}this run: \d+ delivered the first time, \d+ after retries.*, 3 dead letters, \d notices?, 3 redriven, 3 delivered after it\n/,
    );
    expect(first.printed).not.toContain('others');
    expect(first.printed).toMatch(/p50 \d+ ms, p95 \d+ ms, p99 \d+ ms/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape is what must not be there
    expect(first.stdout).not.toMatch(/\u001b\[/);
    expect(await serversOf(folder)).toEqual([]);

    // Its Temporal is its own: what that has lost is dispatched again, without being asked.
    await rm(join(folder, 'temporal.db'));
    const second = await runOutboxCli(['dev', '--once', '--data-dir', folder, '--seed', '7'], environment());
    expect(second.printed).toContain('expects   with seed 7: 182 events committed');
    expect(second.printed).toContain('0 new, 20 there already');
    expect(second.printed).toContain('mended    the partner: 3 of 3 dead letters redriven\n');
    expect(second.printed).toContain('journal   364 committed, 40 rolled back');
    expect(second.code).toBe(0);
  }, 180_000);

  it('shows failures a step a line, leaves some to redrive, and every command that it prints runs as printed', async () => {
    const folder = await dataFolder();
    const dev = outboxCli(['dev', '--data-dir', folder], environment());
    await eventually('what is left for the newcomer', async () => /^yours {5}/m.test(dev.printed()), 120_000);
    const steps = ['retry', 'dead', 'notice', 'redriven', 'healed'];
    const labels = dev.printed().match(/^(retry|dead|notice|redriven|healed|yours) {2,}/gm) ?? [];
    expect(steps.map((step) => labels.filter((label) => label.trim() === step).length > 0)).toEqual(
      steps.map(() => true),
    );
    expect(dev.printed()).toMatch(/^retry +the partner answered 503 .* try [23] delivered it/m);
    expect(dev.printed()).toMatch(/^redriven +the partner is mended, 3 orders are sent again/m);
    expect(dev.printed()).toMatch(/^healed +all 3 are delivered/m);
    expect(await readFile(join(folder, 'outbox.log'), 'utf8')).toContain('"notice.dead_letters"');
    // The failed run, by what the Web UI asks for its page.
    const [, ui, run] = /(http:\S+)\/namespaces\/default\/workflows\/(\S+)\/history/.exec(dev.printed()) ?? [];
    const [workflowId, runId] = run?.split('/') ?? [];
    // The notice leads there, too.
    expect(await readFile(join(folder, 'outbox.log'), 'utf8')).toContain(
      `"temporalUrl":"${ui}/namespaces/default/workflows/`,
    );
    const answer = await fetch(`${ui}/api/v1/namespaces/default/workflows/${workflowId}?execution.runId=${runId}`);
    expect(await answer.json()).toMatchObject({
      workflowExecutionInfo: { status: 'WORKFLOW_EXECUTION_STATUS_FAILED' },
    });

    const envFile = join(folder, 'outbox.env');
    expect((await stat(envFile)).mode & 0o777).toBe(0o600);
    const definition = /^ *(outbox\(\) \{ .* \})$/m.exec(dev.printed())?.[1] as string;
    const inShell = async (command: string) => {
      const env = { PATH: '/usr/bin:/bin', HOME: folder };
      return (await promisify(execFile)('sh', ['-c', `${definition}\n${command}`], { env })).stdout;
    };
    expect(await inShell('outbox dlq list')).toMatch(/^(.* HTTP\.CLIENT_ERROR 422 .*\n){3}that is all$/m);
    expect(await inShell('outbox policies')).toContain('up to 10 attempts');
    expect(await inShell('outbox dlq list --state redriven')).toMatch(
      /^(.* HTTP\.CLIENT_ERROR 422 .*\n){3}that is all$/m,
    );
    const [, redrive, docs] = /^yours +3 more .*: (outbox dlq redrive .*) \((\S+)\)$/m.exec(dev.printed()) ?? [];
    expect(await readFile(docs as string, 'utf8')).toContain('# Dead letters');
    expect(await inShell(redrive as string)).toContain('3 of 3 redriven');
    expect(await inShell('outbox dlq list')).toContain('none is open');

    const key = /API key +(tob_\S+)/.exec(dev.printed())?.[1];
    const operations = /Operations API +(\S+)/.exec(dev.printed())?.[1] as string;
    const listed = await fetch(`${operations}?state=redriven`, { headers: { authorization: `Bearer ${key}` } });
    expect(await listed.json()).toMatchObject({ items: { length: 6 } });
    dev.kill('SIGINT');
    expect(await dev.ended).toBe(0);

    // Redrives by hand are in the books, too.
    const once = await runOutboxCli(['dev', '--once', '--data-dir', folder], environment());
    expect(once.printed).toContain('The books agree');
    expect(once.printed).toContain('redrives  events that tell the audit log of them: 3 delivered');
    expect(once.code).toBe(0);
  }, 300_000);

  it('recovers after a kill -9 in the middle of its traffic: the next start ends what was left and loses nothing', async () => {
    const folder = await dataFolder();
    const dev = outboxCli(['dev', '--data-dir', folder], environment());
    await eventually(
      'sample traffic',
      async () => (await readFile(join(folder, 'journal.ndjson'), 'utf8')).split('\n').length > 6,
      60_000,
    );
    const left = await serversOf(folder);
    expect(left).toHaveLength(2);
    dev.kill('SIGKILL');
    await dev.ended;
    expect(left.map(isAlive)).toEqual([true, true]);

    const again = await runOutboxCli(['dev', '--once', '--data-dir', folder], environment());
    expect(again.printed).toContain('The books agree');
    expect(again.code).toBe(0);
    expect(left.map(isAlive)).toEqual([false, false]);
  }, 180_000);

  it.each([
    ['PostgreSQL', 'postgres', [], 'Ctrl-C stops'],
    ['PostgreSQL', 'postgres', ['--once'], 'expects '],
    ['Temporal', 'temporal', [], 'Ctrl-C stops'],
    ['Temporal', 'temporal', ['--once'], 'expects '],
  ])(
    'ends with a sentence when its %s ends, and stops the rest (%s; dev %j)',
    async (name, server, args, says) => {
      const folder = await usedFolder();
      const dev = outboxCli(['dev', ...args, '--data-dir', folder], environment());
      await eventually(says, async () => dev.printed().includes(says), 60_000);
      const servers = await serversOf(folder);
      process.kill(Number((await readFile(join(folder, `${server}.pid`), 'utf8')).split('\n')[0]), 'SIGKILL');
      expect(await dev.ended).toBe(1);
      expect(dev.printed()).toMatch(new RegExp(`\\noutbox.*: ${name} \\(process \\d+\\) ended, and nobody had asked`));
      expect(dev.printed()).not.toMatch(/\n\s+at .*:\d+:\d+/);
      expect(servers.map(isAlive)).toEqual([false, false]);
    },
    180_000,
  );

  it('stops everything in order at Ctrl-C and exits 0; while starting it stops what it had started', async () => {
    const folder = await usedFolder();
    const dev = outboxCli(['dev', '--data-dir', folder], environment());
    await eventually('the page of addresses', async () => dev.printed().includes('Ctrl-C stops'), 60_000);
    expect(dev.printed()).toMatch(/Temporal Web UI {3}http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows/);
    expect(dev.printed()).toMatch(/API key +tob_[a-z0-9]{8}_/);
    // The link signs in once, as the key of the line before.
    const printed = /^Monitor +(http:\/\/127\.0\.0\.1:\d+)\/monitor\/sign-in#link=(\S+) \(signs you in, once\)$/m;
    const [, origin = '', link] = printed.exec(dev.printed()) ?? [];
    const signIn = () =>
      fetch(`${origin}/monitor/session`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Origin: origin },
        body: JSON.stringify({ link }),
      });
    const session = await signIn();
    expect([session.status, await session.json()]).toEqual([
      200,
      expect.objectContaining({
        name: 'outbox dev: you',
        role: 'operator',
        may: { readDelivery: true, changeDelivery: true, readRecords: true, readAnyTenant: true },
      }),
    ]);
    expect((await signIn()).status).toBe(401);
    const servers = await serversOf(folder);
    dev.kill('SIGINT');
    expect(await dev.ended).toBe(0);
    expect(servers.map(isAlive)).toEqual([false, false]);

    const starting = outboxCli(['dev', '--data-dir', folder], environment());
    await eventually('PostgreSQL', async () => (await serversOf(folder)).length > 0, 60_000);
    const started = await serversOf(folder);
    starting.kill('SIGINT');
    expect(await starting.ended).toBe(130);
    expect(started.map(isAlive)).not.toContain(true);
    expect(await serversOf(folder)).toEqual([]);
  }, 180_000);

  it('a second Ctrl-C ends it at once, and what it started is asked to stop all the same', async () => {
    const folder = await dataFolder();
    const dev = outboxCli(['dev', '--data-dir', folder], environment());
    await eventually('the page of addresses', async () => dev.printed().includes('Ctrl-C stops'), 60_000);
    const servers = await serversOf(folder);
    dev.kill('SIGINT');
    await eventually('the stop to begin', async () =>
      (await readFile(join(folder, 'outbox.log'), 'utf8')).includes('process.stopping'),
    );
    dev.kill('SIGINT');
    expect(await dev.ended).toBe(130);
    await eventually('the servers gone', async () => !servers.map(isAlive).includes(true));
  }, 180_000);

  it('takes the next free port where one is taken, and says it; refuses a second start on its folder, and does it no harm', async () => {
    const held: Server[] = [];
    const hold = (port: number) =>
      new Promise<void>((resolve) => {
        // Taken already by something else serves the test as well.
        const server = createServer().once('error', () => resolve());
        server.listen(port, '127.0.0.1', () => {
          held.push(server);
          resolve();
        });
      });
    for (const port of [5433, 7233, 8233, 18080, 18081]) await hold(port);
    try {
      const folder = await usedFolder();
      const dev = outboxCli(['dev', '--data-dir', folder], environment());
      await eventually('the page of addresses', async () => dev.printed().includes('Ctrl-C stops'), 60_000);
      const port = Number(/Audit log API +http:\/\/127\.0\.0\.1:(\d+)\//.exec(dev.printed())?.[1]);
      expect(port).toBeGreaterThan(18081);
      expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);

      const servers = await serversOf(folder);
      const second = await runOutboxCli(['dev', '--once', '--data-dir', folder], environment());
      expect([second.code, second.printed]).toEqual([78, expect.stringContaining(`process ${dev.pid}`)]);
      expect(servers.map(isAlive)).toEqual([true, true]);
      dev.kill('SIGTERM');
      expect(await dev.ended).toBe(0);
    } finally {
      for (const server of held) server.close();
    }
  }, 180_000);

  it('stops at once when interrupted while the Temporal CLI is being built', async () => {
    const folder = await dataFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'go'), `#!/bin/sh\necho $$ > ${folder}/go.pid\nexec sleep 600\n`);
    await chmod(join(bin, 'go'), 0o755);
    const dev = outboxCli(['dev', '--data-dir', folder], {
      PATH: `${bin}:/usr/bin:/bin`,
      HOME: folder,
      HTTPS_PROXY: 'http://127.0.0.1:1',
      OUTBOX_API_PORT: '18080',
    });
    const go = await numberWrittenIn(join(folder, 'go.pid'), 60_000);
    const servers = await serversOf(folder);
    dev.kill('SIGINT');
    expect(await dev.ended).toBe(130);
    expect([...servers, go].map(isAlive)).toEqual([false, false]);
  }, 60_000);

  it('names every way to a Temporal server when there is none, and leaves nothing running', async () => {
    const folder = await dataFolder();
    const home = await dataFolder();
    // A PATH with neither `temporal` nor `go`; the SDK's download has no way out of this machine.
    const bin = join(home, 'bin');
    await mkdir(bin);
    for (const tool of ['useradd', 'id']) await symlink(`/usr/bin/${tool}`, join(bin, tool)).catch(() => {});
    const { code, printed } = await runOutboxCli(['dev', '--once', '--data-dir', folder], {
      PATH: bin,
      HOME: home,
      OUTBOX_API_PORT: '18080',
      HTTPS_PROXY: 'http://127.0.0.1:1',
    });
    expect(code).toBe(1);
    for (const way of [
      'TEMPORAL_CLI_PATH',
      'PATH:',
      'the cache:',
      "the SDK's download:",
      'go install:',
      'TEMPORAL_ADDRESS',
    ]) {
      expect(printed).toContain(way);
    }
    expect(printed).not.toMatch(/\n\s+at .*\.js:\d+/);
    expect(await serversOf(folder)).toEqual([]);
  }, 180_000);

  it('touches an outside database only when told to', async () => {
    const outside = {
      ...environment(),
      OUTBOX_DATABASE_URL: 'postgresql://postgres@127.0.0.1:1/a',
      AUDIT_DATABASE_URL: 'postgresql://postgres@127.0.0.1:1/b',
    };
    const folder = await dataFolder();
    const once = await runOutboxCli(['dev', '--once', '--data-dir', folder], outside);
    expect([once.code, once.printed]).toEqual([78, expect.stringContaining('--sample')]);
    const { AUDIT_DATABASE_URL: _, ...half } = outside;
    const alone = await runOutboxCli(['dev', '--data-dir', folder], half);
    expect([alone.code, alone.printed]).toEqual([78, expect.stringContaining('set both database URLs')]);
  });
});
