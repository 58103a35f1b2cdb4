/**
 * R3: whether Temporal is the one that our runs are in. A server that lost its data, or another one at the same address,
 * has another namespace id; everything it says of our runs is then wrong, and a start there would be a second one.
 */
import { type AlertDeps, endAlert, raiseAlert } from '../notify/raise-alert.js';

export interface NamespaceGuard {
  /** Asks anew. False: another namespace, or no answer. */
  check(): Promise<boolean>;
  /** By the last answer; another namespace is not forgotten while nobody answers. */
  isOurs(): boolean;
}

const ALERT = { kind: 'reconciler_stopped', subject: 'namespace' } as const;

export function createNamespaceGuard(
  deps: AlertDeps & {
    /** Temporal's. */
    readonly readActual: () => Promise<string>;
    /** The outbox's. */
    readonly readStored: () => Promise<string | null>;
  },
): NamespaceGuard {
  const { log } = deps;
  let ours = true;
  return {
    isOurs: () => ours,
    async check() {
      let pair: readonly [string, string | null];
      try {
        pair = await Promise.all([deps.readActual(), deps.readStored()]);
      } catch (error) {
        log.debug({ error }, 'namespace.not_told');
        return false;
      }
      const [actual, stored] = pair;
      const before = ours;
      ours = actual === stored;
      if (ours) await endAlert(deps, ALERT);
      else await raiseAlert(deps, { ...ALERT, fields: { reason: 'NAMESPACE_CHANGED' } });
      if (before && !ours) log.error({ actual, stored }, 'namespace.changed');
      if (!before && ours) log.warn({ actual }, 'namespace.ours_again');
      return ours;
    },
  };
}
