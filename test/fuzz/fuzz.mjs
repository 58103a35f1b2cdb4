// npm run fuzz -- [--seed N] [--max-examples N] [--max-time SECONDS]
// schemathesis over the OpenAPI document of a live api of our own, all checks. Ends with 0 when it found nothing and the
// api is up and logged no failure of its own; with 3 where there is no Python.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installSchemathesis, lookForPython } from './install-schemathesis.mjs';
import { schemathesisConfig } from './schemathesis-config.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    'max-examples': { type: 'string', default: '50' },
    'max-time': { type: 'string' },
  },
});
const folder = fileURLToPath(new URL('../../.data/fuzz', import.meta.url));
const note = (line) => console.log(`fuzz: ${line}`);

const missing = lookForPython();
if (missing !== null) {
  note(missing);
  process.exit(3);
}
const schemathesis = await installSchemathesis(join(folder, 'schemathesis'), note);
await mkdir(folder, { recursive: true });
const logFile = join(folder, 'api.log');
// Needs the build (npm run fuzz makes it), so it is loaded after what needs none.
const { startWorld } = await import('./start-world.mjs');
const world = await startWorld({ logFile, note });
let code = 1;
try {
  const config = join(folder, 'schemathesis.toml');
  await writeFile(config, schemathesisConfig(world.ids));
  note(`seed ${values.seed}; again with: npm run fuzz -- --seed ${values.seed}`);
  code = await runSchemathesis([
    ...['--config-file', config, 'run', `${world.url}/openapi.json`],
    ...['--header', `Authorization: Bearer ${world.key}`],
    ...['--checks', 'all', '--phases', 'examples,coverage,fuzzing,stateful', '--seed', values.seed],
    ...['--max-examples', values['max-examples'], '--generation-database', 'none', '--workers', '1'],
    ...['--request-timeout', '10', '--continue-on-failure'],
    ...(values['max-time'] === undefined ? [] : ['--max-time', values['max-time']]),
  ]);
  if (!(await world.alive())) {
    note('the api does not answer any more');
    code = code || 1;
  }
  // Whatever no check of schemathesis looks at: an answer may be documented and still be a failure of ours.
  for (const line of world.trouble().slice(0, 20)) {
    note(`the api logged: ${JSON.stringify(line)}`);
    code = code || 1;
  }
} finally {
  await world.stop();
}
note(
  code === 0
    ? 'nothing found'
    : `something was found, or it could not run (exit code ${code}); the api's log: ${logFile}`,
);
process.exitCode = code;

function runSchemathesis(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(schemathesis.command, ['-m', 'schemathesis.cli', ...args], {
      // It keeps a cache where it runs.
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...schemathesis.env, NO_COLOR: '1', PYTHONUNBUFFERED: '1' },
    });
    // Told to stop, it is schemathesis that ends; what was started is then stopped in order.
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve(exitCode ?? (signal === null ? 1 : 128)));
  });
}
