import { countCrashes } from '../../src/main/chaos/crash-loop.js';

function crashes() {
  let at = 0;
  const count = countCrashes(() => at);
  return (name: string, afterMs: number) => {
    at += afterMs;
    return count(name, `${name} ended with 1`)?.message ?? null;
  };
}

it('five ends of one role within a minute are a reason to break off', () => {
  const end = crashes();
  for (let n = 1; n < 5; n += 1) expect(end('relay-1', 10_000)).toBeNull();
  expect(end('relay-1', 10_000)).toBe('relay-1 ended by itself 5 times in a minute: relay-1 ended with 1');
});

it('those of other roles, and those of more than a minute ago, are none', () => {
  const end = crashes();
  for (const name of ['relay-1', 'relay-2', 'worker-1', 'api-1', 'relay-1', 'relay-2']) {
    expect(end(name, 1_000)).toBeNull();
  }
  const slow = crashes();
  for (let n = 1; n < 20; n += 1) expect(slow('relay-1', 15_000)).toBeNull();
});
