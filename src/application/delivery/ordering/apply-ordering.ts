import type { OrderingChange, OrderingStore, Orderings, Unversioned } from './ports.js';

export interface AppliedOrdering {
  readonly changes: readonly OrderingChange[];
  /** Of the types that become ordered. */
  readonly unversioned: readonly Unversioned[];
}

/**
 * Makes what is stored what the configuration says, of one event type or (null) of all; a dry run only tells. A type that the
 * configuration does not order is not ordered afterwards. What waits already keeps the place it was appended with.
 */
export async function applyOrdering(
  { store }: { readonly store: OrderingStore },
  configured: Orderings,
  options: { readonly eventType: string | null; readonly actor: string; readonly dryRun: boolean },
): Promise<AppliedOrdering> {
  const changes = differences(await store.read(), configured).filter(
    ({ eventType }) => options.eventType === null || eventType === options.eventType,
  );
  const ordered = changes.filter(({ from }) => from === 'none').map(({ eventType }) => eventType);
  const unversioned = ordered.length === 0 ? [] : await store.findUnversioned(ordered);
  if (!options.dryRun && changes.length > 0) await store.write(changes, options.actor);
  return { changes, unversioned };
}

/** What has to change for `from` to become `to`, by event type. */
export function differences(from: Orderings, to: Orderings): OrderingChange[] {
  return [...new Set([...from.keys(), ...to.keys()])]
    .sort()
    .map((eventType) => ({ eventType, from: from.get(eventType) ?? 'none', to: to.get(eventType) ?? 'none' }) as const)
    .filter((change) => change.from !== change.to);
}
