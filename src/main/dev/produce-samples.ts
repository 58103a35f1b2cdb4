/** The fixed amount of sample traffic of `--once`, and what must come of it. */
import { runSampleTransaction, SAMPLE_KINDS, SAMPLE_OUTCOMES, type SampleKind } from './sample-application.js';

const TRANSACTIONS: Readonly<Record<SampleKind, number>> = {
  signIn: 60,
  placeOrder: 40,
  bill: 30,
  refusedPayment: 20,
  export: 15,
  unsteadyExport: 4,
  refusedExports: 1,
};

export interface SampleNumbers {
  committed: number;
  rolledBack: number;
  /** Of the committed ones, by what must become of them. */
  delivered: number;
  retried: number;
  redriven: number;
}

/** Computed before anything is produced. */
export function expectedNumbers(): SampleNumbers {
  const numbers = { committed: 0, rolledBack: 0, delivered: 0, retried: 0, redriven: 0 };
  for (const kind of SAMPLE_KINDS) {
    const { events, commits, expect } = SAMPLE_OUTCOMES[kind];
    const count = events * TRANSACTIONS[kind];
    if (!commits) numbers.rolledBack += count;
    else {
      numbers.committed += count;
      numbers[expect] += count;
    }
  }
  return numbers;
}

type SampleDeps = Parameters<typeof runSampleTransaction>[0];

/** Runs them all, one after another, the kinds in turn; `afterRound` after each round. */
export async function produceSamples(
  deps: SampleDeps,
  options: { readonly signal: AbortSignal; readonly afterRound: () => void },
): Promise<void> {
  const left = { ...TRANSACTIONS };
  for (let more = true; more; ) {
    more = false;
    for (const kind of SAMPLE_KINDS) {
      if (left[kind] === 0) continue;
      left[kind] -= 1;
      more = true;
      options.signal.throwIfAborted();
      await runSampleTransaction(deps, kind);
    }
    options.afterRound();
  }
}
