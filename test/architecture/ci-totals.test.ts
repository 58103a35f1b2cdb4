// Real: .ci/totals.mjs in a process of its own, over results in the form that jest 30 writes with --json.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'ci-totals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function totals(
  results: object | string | null,
  exitCode: number,
  ...more: (object | null)[]
): { code: number | null; lastLine: string | undefined } {
  const paths = [results, ...more].map((result, n) => {
    const path = join(folder, `${n}.json`);
    rmSync(path, { force: true });
    if (result !== null) writeFileSync(path, typeof result === 'string' ? result : JSON.stringify(result));
    return path;
  });
  const { status, stdout } = spawnSync(process.execPath, ['.ci/totals.mjs', String(exitCode), ...paths], {
    encoding: 'utf8',
  });
  return { code: status, lastLine: stdout.trim().split('\n').at(-1) };
}

const counts = (passed: number, failed: number, broken = 0) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numRuntimeErrorTestSuites: broken,
});

describe('the totals of a CI run', () => {
  it("closes with the numbers of jest's results and the exit code of the tests", () => {
    expect(totals(counts(7, 0), 0)).toEqual({ code: 0, lastLine: '7 passed, 0 failed' });
    expect(totals(counts(7, 2), 1)).toEqual({ code: 1, lastLine: '7 passed, 2 failed' });
  });

  it('counts a suite that could not run as a failure, and fails with it', () => {
    expect(totals(counts(7, 0, 1), 0)).toEqual({ code: 1, lastLine: '7 passed, 1 failed' });
  });

  it('keeps the exit code of a command that failed after its tests had passed', () => {
    expect(totals(counts(7, 0), 13)).toEqual({ code: 13, lastLine: '7 passed, 0 failed' });
  });

  it('adds up the results of several commands, and fails where one is missing', () => {
    expect(totals(counts(7, 0), 0, counts(4, 0))).toEqual({ code: 0, lastLine: '11 passed, 0 failed' });
    expect(totals(counts(7, 0), 1, counts(4, 1))).toEqual({ code: 1, lastLine: '11 passed, 1 failed' });
    expect(totals(counts(7, 0), 0, null)).toEqual({ code: 1, lastLine: '7 passed, 0 failed' });
  });

  it.each([[null], ['{ "numPassedTests": 7'], [counts(0, 0)]])('has no such line and fails on %j', (results) => {
    expect(totals(results, 0)).toEqual({ code: 1, lastLine: '' });
    expect(totals(results, 2)).toEqual({ code: 2, lastLine: '' });
  });
});
