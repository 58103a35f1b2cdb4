import { type AskEffectDeps, askEffect } from './ask-effect.js';
import type { DueAsk, EffectStore, LeaseHold } from './ports.js';

/** R18: after the letter, as destinations that are asynchronous or come back late would have it. */
const ASK_AFTER_MS = [60_000, 600_000, 3_600_000, 86_400_000];
const BATCH = 50;
const AT_ONCE = 5;

/** One turn of the duty `effects`: asks for the open letters whose time has come, until none is due. */
export async function askEffectsAgain(
  deps: Omit<AskEffectDeps, 'effects'> & { readonly effects: EffectStore },
  hold: LeaseHold,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const due = await deps.effects.findDueAsks(hold, BATCH);
    for (let at = 0; at < due.length && !signal.aborted; at += AT_ONCE) {
      await Promise.all(due.slice(at, at + AT_ONCE).map((ask) => askAgain(deps, hold, ask, signal)));
    }
    if (due.length < BATCH) return;
  }
}

async function askAgain(
  deps: Omit<AskEffectDeps, 'effects'> & { readonly effects: EffectStore },
  hold: LeaseHold,
  ask: DueAsk,
  signal: AbortSignal,
): Promise<void> {
  const answer = await askEffect(deps, ask.run, { signal });
  if (answer.kind === 'delivered' || signal.aborted) return;
  const asksNoMore = answer.kind === 'unknown' && !answer.again;
  await deps.effects.bookAsk(hold, ask, asksNoMore ? null : (ASK_AFTER_MS[ask.asked + 1] ?? null));
}
