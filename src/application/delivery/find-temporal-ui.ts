import type { TemporalUi } from '../../domain/delivery/temporal-links.js';
import type { ProcessStore } from './monitor/ports.js';

const MOST_PROCESSES = 100;

/**
 * Where runs are opened, for a process that does not talk to Temporal itself: `url` is configured, and the namespace is
 * what the relay or worker seen last says. null: the address is not configured, or nobody has said a namespace. Never
 * throws.
 */
export function findTemporalUi(
  processes: Pick<ProcessStore, 'list'>,
  url: string | null,
): () => Promise<TemporalUi | null> {
  if (url === null) return async () => null;
  return async () => {
    try {
      const seen = await processes.list(MOST_PROCESSES);
      const namespace = seen.find(({ says }) => says.namespace !== null)?.says.namespace ?? null;
      return namespace === null ? null : { url, namespace };
    } catch {
      // Away, or not allowed to look since an upgrade: what a link would stand beside is shown without it.
      return null;
    }
  };
}
