// A program of a user's own that runs roles in its process, by the built package. Argument: the roles. A line on stdin:
// "hint" calls hint(), "stop" calls stop(), twice, as a program may.
import { createInterface } from 'node:readline';
import { createRoles, defineConfig, defineHandler } from '../../dist/src/index.js';

const handlers = [
  defineHandler({ routingKey: 'test.quick', deliver: async ({ id }) => ({ id }) }),
  defineHandler({ routingKey: 'test.long', timeoutMs: 60_000, deliver: async ({ id }) => ({ id }) }),
];
const roles = await createRoles(process.argv[2].split(','), defineConfig({ handlers }));
process.stdout.write(
  `${JSON.stringify({ msg: 'program.ports', apiPort: roles.apiPort, probePort: roles.probePort })}\n`,
);
const commands = {
  hint: () => roles.hint(),
  stop: async () => {
    await Promise.all([roles.stop(), roles.stop()]);
    process.stdin.destroy();
  },
};
createInterface({ input: process.stdin }).on('line', (line) => commands[line]?.());
