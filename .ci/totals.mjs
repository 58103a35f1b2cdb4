// Usage: node .ci/totals.mjs EXIT_CODE RESULTS…: prints the totals of jest's JSON results and exits with the tests' code.
// A suite that could not run at all counts as one failure. Runs on whatever Node the machine has.
import { readFileSync } from 'node:fs';

const [code, ...paths] = process.argv.slice(2);
const results = [];
let missing = false;
for (const path of paths) {
  try {
    results.push(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    // The later ones are not run after a failure of the first.
    console.error(`No test results (npm exited with ${code}): ${error.message}`);
    missing = true;
  }
}

const sum = (count) => results.reduce((total, result) => total + count(result), 0);
const passed = sum(({ numPassedTests }) => numPassedTests);
const failed = sum(({ numFailedTests, numRuntimeErrorTestSuites }) => numFailedTests + numRuntimeErrorTestSuites);
if (Number(code) !== 0) console.error(`The test command exited with ${code}`);
if (passed + failed > 0) console.log(`${passed} passed, ${failed} failed`);
else if (!missing) console.error('No test ran');
process.exitCode = Number(code) || (missing || failed > 0 || passed === 0 ? 1 : 0);
