// A short, seeded run of `npm run fuzz`: schemathesis, all checks, over the document of a live api with the operations API
// on. Real: everything. What it must find is planted nowhere: it finds nothing, and says how much it tried.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';

const MINUTE = 60_000;
/** What one statement of the api may take: a longer one is of a machine that stood still, and a find all the same. */
const STATEMENT_MS = 2_000;
const hasPython = spawnSync('python3', ['--version']).status === 0;

// Without Python there is no schemathesis; everything else of the api is tested elsewhere, too.
let fuzzing: ChildProcess | null = null;
afterEach(() => {
  // Asked to stop it takes its api and its PostgreSQL along.
  fuzzing?.kill('SIGTERM');
});

const itWithPython = hasPython ? it : it.skip;
const name = hasPython
  ? 'answers whatever fits its document, and whatever does not, as the document says'
  : 'is fuzzed (skipped: python3 is missing)';

itWithPython(
  name,
  async () => {
    let { code, printed } = await fuzz();
    // What the api answers for a reason of its own comes again with the same seed.
    if (code !== 0 && isOfTheMachine(printed)) ({ code, printed } = await fuzz());
    expect({ code, printed }).toEqual({ code: 0, printed: expect.stringContaining('fuzz: nothing found') });
    expect(printed).toContain('Seed: 20261128');
    // Every operation, not those of a document that lost some.
    const [, selected, total] = /Operations: +(\d+) selected \/ (\d+) total/.exec(printed) ?? [];
    expect([Number(selected), selected]).toEqual([expect.any(Number), total]);
    expect(Number(selected)).toBeGreaterThanOrEqual(35);
    // How many fit into the time is the machine's.
    expect(Number(/(\d+) generated/.exec(printed)?.[1])).toBeGreaterThan(100);
  },
  6 * MINUTE,
);

async function fuzz(): Promise<{ code: unknown; printed: string }> {
  const args = ['test/fuzz/fuzz.mjs', '--seed', '20261128', '--max-examples', '2', '--max-time', '30'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  fuzzing = child;
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString('utf8');
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, printed };
}

/** Whether all that the api logged is that its database answered too late. */
function isOfTheMachine(printed: string): boolean {
  const logged = [...printed.matchAll(/the api logged: (\{.*\})/g)].map(([, line]) => JSON.parse(line ?? '{}'));
  return (
    logged.length > 0 &&
    logged.every(({ code, durationMs }) => code === 'store_unavailable' && durationMs >= STATEMENT_MS)
  );
}
