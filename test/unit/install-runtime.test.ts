// Temporal's runtime is the program's: who asks for one that stands already reads its metrics all the same. Real: the SDK's
// runtime and its metrics server. Nothing is connected.
import { Runtime } from '@temporalio/worker';
import { installRuntime } from '../../src/infrastructure/temporal/install-runtime.js';
import { createSdkMetrics } from '../../src/infrastructure/temporal/sdk-metrics.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
afterAll(() => Runtime.instance().shutdown());

it("roles that are started one by one all tell the metrics of the program's one runtime, also of the one after it", async () => {
  const [first, second] = [createSdkMetrics({}), createSdkMetrics({})];
  await expect(second.read()).rejects.toThrow('does not stand yet');
  await installRuntime(silent, first);
  await installRuntime(silent, second);
  await expect(Promise.all([first.read(), second.read()])).resolves.toHaveLength(2);

  await Runtime.instance().shutdown();
  await expect(first.read()).rejects.toThrow();
  await installRuntime(silent, second);
  await expect(Promise.all([first.read(), second.read()])).resolves.toHaveLength(2);

  // One that tells none took its place: what listened before is asked no more.
  await Runtime.instance().shutdown();
  await installRuntime(silent);
  await expect(first.read()).rejects.toThrow('does not stand yet');
});
