// The ways to catch a bug. `of`: what must catch it this way, { run, says, means, … }, or undefined where this way is not
// claimed to; `try`: does that on a copy of the build, and answers by `run` { status, ms, message }.
import { runChaos } from './run-chaos.mjs';
import { runTests } from './run-tests.mjs';

const [RUNS, SEED] = ['150', '9'];
const MODEL = {
  project: 'system',
  file: 'test/model/row-protocol.test.ts',
  test: `keeps its promises in ${RUNS} interleavings of seed ${SEED}`,
};
const named = (spec) => ({ ...spec, run: `${spec.file}: ${spec.test}` });

export const WAYS = {
  /** The test of the rule: seconds. */
  tests: { of: ({ caughtBy }) => named(caughtBy), try: runTests },
  /** The row protocol under any interleaving: a minute each. */
  model: {
    of: ({ model }) => model && named({ ...MODEL, ...model }),
    try: (runs, { environment, signal }) =>
      runTests(runs, { signal, environment: { ...environment, OUTBOX_MODEL_RUNS: RUNS, OUTBOX_MODEL_SEED: SEED } }),
  },
  /** Processes under a fault, and the books compared: minutes each. */
  chaos: { of: ({ chaos }) => chaos && { ...chaos, run: `npm run chaos -- ${chaos.args.join(' ')}` }, try: runChaos },
};
