// docs/tutorial.md, followed as it stands. Real: the tarball (`npm pack` of the dist/ that stands) and the shop's own packages,
// installed by npm into a copy of examples/tutorial-shop; PostgreSQL, Temporal, the shop, the mailer and the roles as processes.
// Its ports, its database and its Temporal are the test's. Fake: nothing but the mailer, which is the example's own.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { createEmptyDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { type RunningProcess, startProcess } from '../support/start-process.js';
import { temporalAddress } from '../support/temporal.js';

interface Step {
  readonly line: number;
  readonly kind: 'file' | 'run' | 'start';
  readonly code: string;
  /** Lines that must be in what it prints; `…` stands for anything. */
  expected: string[];
}

const project = resolve('.');
const folder = mkdtempSync(join(tmpdir(), 'temporal-outbox-tutorial-'));
const shop = join(folder, 'shop');
const kept = join(folder, 'environment.sh');
const started: RunningProcess[] = [];
let database: { url: string; drop(): Promise<void> };
let tutorial: string;

/** Ours without what npm and jest put there, and without the project's own commands. */
const machine: Record<string, string> = Object.fromEntries(
  Object.entries(process.env)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .filter(
      ([name]) => !/^(npm_(package|lifecycle|command|config_local_prefix)|NODE_OPTIONS|OUTBOX_|AUDIT_)/.test(name),
    ),
);
machine.PATH = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)]
  .filter((entry) => !entry.startsWith(join(project, 'node_modules/.bin')))
  .join(delimiter);

beforeAll(async () => {
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], project);
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  cpSync('examples/tutorial-shop', shop, { recursive: true });
  renameSync(join(folder, filename), join(shop, 'temporal-outbox-0.1.0.tgz'));
  database = await createEmptyDatabase();
  const ports: Record<string, number> = {};
  for (const port of ['3000', '4000', '8080', '8081']) ports[port] = await freePort(0);
  const replaced = (text: string) =>
    text
      .replaceAll(/postgresql:\/\/\S+/g, database.url)
      .replaceAll('127.0.0.1:7233', temporalAddress())
      .replaceAll(/\b(3000|4000|8080|8081)\b/g, (port) => String(ports[port]));
  tutorial = replaced(readFileSync('docs/tutorial.md', 'utf8'));
  for (const file of ['shop.ts', 'mailer.ts']) {
    writeFileSync(join(shop, file), replaced(readFileSync(join(shop, file), 'utf8')));
  }
  writeFileSync(
    kept,
    `export OUTBOX_API_PORT=${ports[8080]} OUTBOX_PROBE_PORT=${ports[8081]} OUTBOX_AUDIT_URL=http://127.0.0.1:${ports[8080]}\n`,
  );
}, 120_000);

afterAll(async () => {
  for (const child of started.toReversed()) child.kill('SIGTERM');
  await Promise.all(started.map(({ ended }) => ended));
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

function run(file: string, args: readonly string[], cwd: string) {
  return new Promise<{ code: number; stdout: string; printed: string }>((done) => {
    const child = execFile(file, args, { cwd, env: machine, maxBuffer: 32 * 1024 * 1024 }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code ?? 1), stdout, printed: stdout + stderr }),
    );
    child.stdin?.end();
  });
}

/** Blocks in their order: what a `text` block says is expected of the one before it. One under a comment is passed over. */
function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  for (const block of text.matchAll(/^(<!-- .* -->\n)?```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [, comment, language, code = ''] = block;
    if (comment !== undefined) continue;
    const line = text.slice(0, block.index).split('\n').length;
    if (language === 'text') (steps.at(-1) as Step).expected = code.trim().split('\n');
    else if (language === 'ts') steps.push({ line, kind: 'file', code, expected: [] });
    else if (language === 'sh') {
      steps.push({ line, kind: code.trimEnd().endsWith(' &') ? 'start' : 'run', code: code.trim(), expected: [] });
    } else throw new Error(`expected ts, sh or text in line ${line} of docs/tutorial.md, got ${language}`);
  }
  return steps;
}

function holds(printed: string, expected: readonly string[]): boolean {
  return expected.every((words) => {
    const pattern = words.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(pattern.join('.+')).test(printed);
  });
}

/** In one shell after the other, each with what those before it have exported or set. */
async function inShell(code: string) {
  const script = `set -a; . '${kept}'; ${code}\nstatus=$?; export -p > '${kept}'; exit $status`;
  return run('bash', ['-c', script], shop);
}

/** What only looks may have to look again: the page's reader does, too. */
const LOOKS = /^npx outbox (events list|dlq (kinds|list)|audit list)[^|]*(\ncurl -s http\S+)?$/;

it('every block does what the page says of it', async () => {
  const steps = stepsOf(tutorial);
  expect(steps.length).toBeGreaterThan(18);
  for (const { line, kind, code, expected } of steps) {
    const where = `line ${line} of docs/tutorial.md`;
    if (kind === 'file') {
      const name = code.match(/^\/\/ (\S+)\n/)?.[1];
      if (name === undefined) throw new Error(`expected the name of a file first in ${where}`);
      writeFileSync(join(shop, name), code);
    } else if (kind === 'start') {
      const script = `. '${kept}'; exec ${code.slice(0, -2)}`;
      const child = startProcess(['bash', '-c', script], { cwd: shop, env: machine });
      started.push(child);
      await eventually(
        `${expected} in ${child.printed()}: ${where}`,
        async () => holds(child.printed(), expected),
        90_000,
      );
    } else if (LOOKS.test(code)) {
      let last = '';
      const look = async () => {
        const { code: status, printed } = await inShell(code);
        last = printed;
        return status === 0 && holds(printed, expected);
      };
      await eventually(`"${expected}" of "${code}", ${where}`, look, 90_000).catch((error: unknown) => {
        throw new Error(`it printed ${last}`, { cause: error });
      });
    } else {
      const { code: status, printed } = await inShell(code);
      expect([where, status, printed]).toEqual([where, 0, printed]);
      if (!holds(printed, expected)) throw new Error(`expected "${expected}" of ${where}, it printed ${printed}`);
    }
  }
}, 540_000);

it('the packages of the example are those that the project is tested with', () => {
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as { dependencies: Record<string, string> };
  const [ours, example] = [read('package.json'), read('examples/tutorial-shop/package.json')];
  for (const [name, version] of Object.entries(example.dependencies)) expect(ours.dependencies[name]).toBe(version);
});
