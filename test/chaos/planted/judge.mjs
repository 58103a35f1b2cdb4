/**
 * Whether a bug was caught: its test passed on the clean copy, failed on the planted one, and said of it what it must. A test
 * that fails for whatever else (a time that ran out, code that does not load) has not caught it.
 *
 * `clean` and `planted`: { status, message } of the test there; undefined where it is not to be found. Answers
 * { ok, verdict }.
 */
export function judge({ says, means }, clean, planted) {
  const not = (verdict) => ({ ok: false, verdict });
  if (clean === undefined) return not('its test does not exist: mend the name');
  if (clean.status !== 'passed') return not(`its test is ${clean.status} without the bug: ${clean.message}`);
  if (planted?.status !== 'failed') return not(`its test is ${planted?.status ?? 'not run'} with the bug`);
  if (!says.test(planted.message)) return not(`its test failed for another reason than ${says}: ${planted.message}`);
  return { ok: true, verdict: means };
}
