import type { LogHead, SealStore } from './ports.js';

/** Leaves of one seal: 160 KB of hashes, and some milliseconds of a statement. */
export const SEAL_LIMIT = 5_000;

export interface SealRecordsDeps {
  readonly store: SealStore;
  readonly log: { warn(fields: object, message: string): void };
  /** Default SEAL_LIMIT. */
  readonly limit?: number;
}

/** Seals what can be sealed until a seal is not full or the signal aborts; returns how many records. */
export type SealRecords = (signal: AbortSignal) => Promise<number>;

/**
 * Puts records into the log: each committed record once, in the order of (epoch, transaction, sequence), which no later
 * commit can come before. Any number of sealers at once do no harm: a seal's first index is its key, so one of two that
 * read the same head writes nothing and begins anew. Keys are not needed. Throws StoreUnavailableError.
 */
export function sealRecords({ store, log, limit = SEAL_LIMIT }: SealRecordsDeps): SealRecords {
  return async (signal) => {
    let sealed = 0;
    while (!signal.aborted) {
      const { head, newestEpoch } = await store.readHead();
      const newest = newestEpoch ?? (await follow(store, log));
      const next = await sealNext(store, head, newest, limit);
      if (next === 'taken') continue;
      sealed += next.count;
      // What has come since is left for the next turn: under constant writing each seal would hold a handful.
      if (next.isLast) break;
    }
    return sealed;
  };
}

/**
 * A seal never holds records of two epochs, and the next epoch is looked at only when the one before gives no more: a
 * record of an earlier epoch behind one of a later would break the order.
 */
async function sealNext(
  store: SealStore,
  head: LogHead,
  newest: number,
  limit: number,
): Promise<{ readonly count: number; readonly isLast: boolean } | 'taken'> {
  for (let number = head.epoch; number <= newest; number++) {
    const behind = number === head.epoch ? head : { ...head, epoch: number, lastTx: '0', lastSeq: '0' };
    const count = await store.seal(behind, { number, isNewest: number === newest }, limit);
    if (count === 'taken') return count;
    if (count > 0) return { count, isLast: number === newest && count < limit };
  }
  return { count: 0, isLast: true };
}

async function follow(store: SealStore, log: SealRecordsDeps['log']): Promise<number> {
  const epoch = await store.followCluster();
  log.warn(
    { event: 'audit_log.epoch', epoch },
    'the database was restored into another cluster: the log goes on in a new epoch',
  );
  return epoch;
}
