/**
 * R18: before a letter is written about an event whose effect may stand, and again after it, its destination is asked.
 * What stands is settled, so that no person is asked to redrive what has happened already.
 */
import { catalogEntry, type ErrorCode } from '../../domain/delivery/error-catalog.js';
import { isIntegrationError } from '../../domain/delivery/integration-error.js';
import type { AttemptStore, EffectFinder, EffectStore, FoundEffect, Logger, RunRef } from './ports.js';

export interface AskEffectDeps {
  readonly effects: Pick<EffectStore, 'loadDoubtful'>;
  readonly attempts: Pick<AttemptStore, 'settle'>;
  readonly finder: EffectFinder;
  readonly log: Logger;
}

export type AskedEffect =
  /** The effect stands, and the delivery says so where it was to be settled. */
  | { readonly kind: 'delivered'; readonly receiptId: string }
  /** The effect stands, and the row is of a later epoch by now. */
  | { readonly kind: 'superseded' }
  /** The destination says that it does not stand (yet). */
  | { readonly kind: 'none' }
  /** Nobody knows: its handler cannot say, or did not answer. */
  | { readonly kind: 'unknown'; readonly again: boolean }
  /** Not asked: no attempt can have had an effect, or the row is another's by now. */
  | { readonly kind: 'not-asked' };

const ASK_MS = 2_000;
const STORE_MS = 2_000;

/** Later than any attempt: what was left unfinished is closed with the settling, for no attempt will begin that could. */
const AFTER_ALL = { n: 2 ** 31 - 1, runId: '', worker: '' };

/**
 * Asks once, 2 s. `code`: of a run that is about to end in a letter; left out for a letter that stands. `settle: false`
 * only says what stands (a dry run). A failed ask is an answer (`unknown`).
 * @throws IntegrationError `STORE.UNAVAILABLE` only where the effect stands and could not be settled
 */
export async function askEffect(
  deps: AskEffectDeps,
  run: RunRef,
  {
    code,
    signal,
    settle = true,
  }: { readonly code?: ErrorCode; readonly signal: AbortSignal; readonly settle?: boolean },
): Promise<AskedEffect> {
  const fields = { eventId: run.eventId, epoch: run.epoch, code };
  let found: FoundEffect;
  try {
    const loaded = await deps.effects.loadDoubtful(run, code === undefined ? 'dead' : 'open', STORE_MS);
    if (loaded === null) return { kind: 'not-asked' };
    if (code !== undefined && !loaded.doubtful && catalogEntry(code).effect === 'none') return { kind: 'not-asked' };
    if (!loaded.mayAsk) return { kind: 'unknown', again: true };
    found = await deps.finder.find(loaded.event, { timeoutMs: ASK_MS, signal });
  } catch (error) {
    deps.log.warn({ ...fields, askCode: isIntegrationError(error) ? error.code : undefined }, 'effect.not_told');
    return { kind: 'unknown', again: true };
  }
  if (found.kind === 'unsupported') return { kind: 'unknown', again: false };
  if (found.kind === 'none') return { kind: 'none' };
  const { receipt } = found;
  if (!settle) return { kind: 'delivered', receiptId: receipt.id };
  const answer = await deps.attempts.settle(run, { ...receipt, replayed: true }, AFTER_ALL, STORE_MS);
  deps.log.info({ ...fields, receiptId: receipt.id, settled: answer }, 'effect.stands');
  return answer === 'superseded' ? { kind: 'superseded' } : { kind: 'delivered', receiptId: receipt.id };
}
