// Usage: node .ci/totals.mjs RESULTS EXIT_CODE: prints the totals of jest's JSON results and exits with the tests' code.
// A suite that could not run at all counts as one failure. Runs on whatever Node the machine has.
import { readFileSync } from 'node:fs';

const [path, code] = process.argv.slice(2);
let results;
try {
  results = JSON.parse(readFileSync(path, 'utf8'));
} catch (error) {
  console.error(`No test results (npm exited with ${code}): ${error.message}`);
}

if (results === undefined) {
  process.exitCode = Number(code) || 1;
} else {
  const passed = results.numPassedTests;
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  if (Number(code) !== 0) console.error(`The test command exited with ${code}`);
  if (passed + failed === 0) console.error('No test ran');
  else console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = Number(code) || (failed > 0 || passed === 0 ? 1 : 0);
}
