import type { WorkflowStarter } from '../application/delivery/ports.js';
import type { NamespaceGuard } from '../application/delivery/reconcile/namespace-guard.js';
import { systemTime } from '../application/delivery/relay-time.js';

const EVERY_MS = 5_000;

/**
 * R3: asks now and then whether Temporal still is ours. While it is not, no start is made: the relay takes that for the
 * environment's refusal (R8), which spends nothing.
 */
export function watchNamespace(
  guard: NamespaceGuard,
  starter: WorkflowStarter,
): { readonly starter: WorkflowStarter; stop(): Promise<void> } {
  const stopping = new AbortController();
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await guard.check();
      await systemTime.sleep(EVERY_MS, stopping.signal);
    }
  })();
  const refused = { kind: 'refused', reason: 'NAMESPACE_CHANGED' } as const;
  return {
    starter: {
      start: async (event, timeoutMs) => (guard.isOurs() ? starter.start(event, timeoutMs) : refused),
      startBatch: async (batch, timeoutMs) => (guard.isOurs() ? starter.startBatch(batch, timeoutMs) : refused),
    },
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}
