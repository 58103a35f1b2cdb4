/**
 * Verifications that somebody asked for, or that are due: the duty `verify` of a worker, which has the keys and the anchor
 * that no api has. One at a time, the one that was asked for first. A row is `running` as long as its worker says so every
 * two seconds; one that has not for half a minute was lost with its worker, and goes back to be begun anew.
 */
import { AnchorUnavailableError } from '../log/ports.js';
import { StoreUnavailableError } from '../ports.js';
import { findRecordRange } from '../verify/find-record-range.js';
import { heedSignal } from '../verify/heed-signal.js';
import type { VerifyReport } from '../verify/report.js';
import { type VerifyLogDeps, type VerifyProgress, verifyLog } from '../verify/verify-log.js';
import type {
  DutyHold,
  FoundByVerification,
  TakenVerification,
  VerificationProgress,
  VerificationQueue,
} from './ports-verification.js';

/** The log opened for one verification, by connections of its own: what reads for minutes must not keep a beat waiting. */
export interface OpenedLog extends VerifyLogDeps {
  /** Ends its connections, and so whatever still runs on them. */
  close(): Promise<void>;
}

export interface RunVerificationsDeps {
  readonly queue: VerificationQueue;
  /** Opens no connection yet. */
  readonly open: () => OpenedLog;
  /** Resolves after so many milliseconds, or at once when the signal aborts. Never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Why it could not be done, in a sentence for people who may see neither settings nor stacks. */
  readonly explain: (error: unknown) => string;
  readonly onEnded: (ended: EndedVerification) => void;
}

/** How one ended in this worker. */
export type EndedVerification = TakenVerification &
  (
    | ({ readonly kind: 'done' } & FoundByVerification)
    | { readonly kind: 'failed'; readonly why: string; readonly cause: unknown }
    /** The database did not answer, or this worker stops: it is begun anew, here or elsewhere. */
    | { readonly kind: 'given up'; readonly cause: unknown }
    /** The row is another's, who has taken this worker for lost. */
    | { readonly kind: 'taken over' }
  );

type Found = { readonly kind: 'found' } & FoundByVerification;
type Ending =
  | Found
  | { readonly kind: 'impossible'; readonly why: string }
  | { readonly kind: 'threw'; readonly cause: unknown };

const BEAT_EVERY_MS = 2_000;
/** As many as a person reads; all of them are counted. */
const MOST_BREAKS = 100;
const PENDING = 'the record is not sealed yet, so there is nothing to compare it with; ask again in a few seconds';
const MISSING = 'there is no such record; where there was one, verify the whole log: that says what became of it';

/**
 * One turn of the duty: whatever is to be done now, until the signal aborts. `everyHours`: the whole log is asked for when
 * none has ended for so long; 0: only when somebody asks. Throws StoreUnavailableError.
 */
export function runVerifications(deps: RunVerificationsDeps, everyHours: number) {
  const { queue, onEnded } = deps;
  return async (hold: DutyHold, signal: AbortSignal): Promise<void> => {
    await queue.recover(hold);
    if (everyHours > 0) await queue.askWhenDue(hold, everyHours);
    while (!signal.aborted) {
      const taken = await queue.take(hold);
      if (taken === null) return;
      const ended = await work(deps, hold, taken, signal);
      onEnded(ended);
      // What ended it would end the next one as well: the duty's next turn looks again.
      if (ended.kind === 'given up') return;
      await queue.prune(hold);
    }
  };
}

async function work(
  { queue, open, sleep, explain }: RunVerificationsDeps,
  hold: DutyHold,
  taken: TakenVerification,
  signal: AbortSignal,
): Promise<EndedVerification> {
  const { id } = taken;
  const lost = new AbortController();
  const over = new AbortController();
  let progress: VerificationProgress | null = null;

  /** Goes on until the end is written, which may have to wait for the database as well. */
  async function beat(): Promise<void> {
    while (!over.signal.aborted) {
      await sleep(BEAT_EVERY_MS, over.signal);
      if (over.signal.aborted) return;
      // Not answered: the next one tells, and where none does for long the duty is lost, which ends the work by `signal`.
      const held = await queue.beat(hold, id, progress).catch(() => true);
      if (held) continue;
      lost.abort();
      return;
    }
  }

  const beating = beat();
  try {
    const ending = await verifyOne(open(), taken.recordId, AbortSignal.any([signal, lost.signal]), ({ done, of }) => {
      progress = { done, of };
    });
    if (lost.signal.aborted) return { ...taken, kind: 'taken over' };
    return await settle(ending);
  } finally {
    over.abort();
    await beating;
  }

  async function settle(ending: Ending): Promise<EndedVerification> {
    switch (ending.kind) {
      case 'found': {
        const { outcome, report } = ending;
        const written = await patiently(() => queue.finish(hold, id, { outcome, report }));
        return written ? { ...taken, kind: 'done', outcome, report } : { ...taken, kind: 'taken over' };
      }
      case 'impossible':
        return failed(ending.why, null);
      case 'threw': {
        const { cause } = ending;
        // Of no consequence: the signal's own reason, and what was torn down with it.
        if (signal.aborted) return givenUp('free', cause);
        if (cause instanceof StoreUnavailableError) return givenUp('lost', cause);
        return failed(cause instanceof AnchorUnavailableError ? sayAnchor(cause) : explain(cause), cause);
      }
    }
  }

  async function failed(why: string, cause: unknown): Promise<EndedVerification> {
    const written = await patiently(() => queue.fail(hold, id, why));
    return written ? { ...taken, kind: 'failed', why, cause } : { ...taken, kind: 'taken over' };
  }

  async function givenUp(counted: 'lost' | 'free', cause: unknown): Promise<EndedVerification> {
    // Not written: nobody beats for it any more, and whoever has the duty finds it lost.
    await queue.giveUp(hold, id, counted).catch(() => false);
    return { ...taken, kind: 'given up', cause };
  }

  /** What was found in hours is not thrown away for a moment without the database: while the duty is held, it is tried again. */
  async function patiently(write: () => Promise<boolean>): Promise<boolean> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || signal.aborted) throw error;
      }
      await sleep(BEAT_EVERY_MS, signal);
    }
  }
}

/** Never rejects. Closes what it is given. */
async function verifyOne(
  log: OpenedLog,
  recordId: string | null,
  signal: AbortSignal,
  onProgress: (progress: VerifyProgress) => void,
): Promise<Ending> {
  try {
    const found = recordId === null ? null : await findRecordRange(heedSignal(log.store, signal), recordId);
    if (found?.kind === 'pending') return { kind: 'impossible', why: PENDING };
    if (found?.kind === 'missing') return { kind: 'impossible', why: MISSING };
    const report = await verifyLog(log)(found?.range ?? {}, { signal, onProgress });
    return { kind: 'found', outcome: report.first === null ? 'whole' : 'broken', report: toReport(report) };
  } catch (cause) {
    return { kind: 'threw', cause };
  } finally {
    // A goodbye that fails says nothing of what was found.
    await log.close().catch(() => undefined);
  }
}

function toReport(report: VerifyReport): FoundByVerification['report'] {
  const { from, to, records, erased, dropped, pending, signedSize, anchoredSize } = report;
  const counts = Object.fromEntries(Object.entries(report.counts));
  const breaks = report.breaks.slice(0, MOST_BREAKS).map((found) => ({ ...found }));
  return { from, to, records, erased, dropped, pending, signedSize, anchoredSize, counts, breaks };
}

/** The anchor's own error says which one; what it met stands in its cause. */
function sayAnchor({ message, cause }: AnchorUnavailableError): string {
  return cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message;
}
