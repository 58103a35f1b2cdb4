/** Receipts of a batch (R15, R16): those in hand, and those that an earlier attempt heard and could not write. */
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { Receipt } from '../../../domain/delivery/receipt.js';
import type { EventRef } from '../ports.js';
import { add, type BatchAttempt, type DispatchBatchDeps, logFields, withinDeadline } from './batch-attempt.js';

type Deps = Pick<DispatchBatchDeps, 'batches' | 'log' | 'onFencedSettle'>;
type Receipts = readonly { readonly ref: EventRef; readonly receipt: Receipt }[];

/**
 * Whether each was settled by this very write. Throws what the store throws, also for one receipt that the database refuses: the
 * others are settled then.
 */
export async function settle(deps: Deps, attempt: BatchAttempt, receipts: Receipts): Promise<boolean> {
  if (receipts.length === 0) return true;
  const answers = await withinDeadline(attempt, (timeoutMs) => deps.batches.settleBatch(receipts, timeoutMs));
  if (answers.superseded > 0) deps.onFencedSettle(answers.superseded);
  if (answers.bulkRefused !== undefined) {
    const err = answers.bulkRefused;
    deps.log.warn({ ...logFields(attempt), receipts: receipts.length, err }, 'batch.settled_one_by_one');
  }
  add(attempt, { delivered: answers.settled + answers.already, superseded: answers.superseded });
  return answers.settled === receipts.length;
}

/**
 * Before the events are loaded, which then counts anew what is found settled. False: the database refuses one, which is not tried
 * without end: that event falls out with the others, and its own run settles what it is answered anew.
 */
export async function settleCarried(deps: Deps, attempt: BatchAttempt): Promise<boolean> {
  const settled = await tryToSettle(deps, attempt);
  attempt.state = { ...attempt.state, receipts: [], ...(settled ? {} : { falling: true, sent: true }) };
  return settled;
}

/** Before all that is left falls out, unread: the events that it settled. What it could not settle has its effect (R18). */
export async function settleFalling(deps: Deps, attempt: BatchAttempt): Promise<readonly EventRef[]> {
  const receipts = carriedReceipts(attempt);
  if (!(await tryToSettle(deps, attempt))) return [];
  attempt.state = { ...attempt.state, receipts: [] };
  return receipts.map(({ ref }) => ref);
}

async function tryToSettle(deps: Deps, attempt: BatchAttempt): Promise<boolean> {
  try {
    await settle(deps, attempt, carriedReceipts(attempt));
    return true;
  } catch (error) {
    if (isIntegrationError(error)) throw error;
    deps.log.error({ ...logFields(attempt), err: error }, 'batch.not_settled');
    return false;
  }
}

function carriedReceipts({ state, input }: BatchAttempt): Receipts {
  const at = new Date().toISOString();
  return state.receipts.flatMap(([place, id, hash]) => {
    const ref = input.batch.events[place];
    return ref === undefined ? [] : [{ ref, receipt: { id, hash, status: null, at, replayed: false } }];
  });
}
