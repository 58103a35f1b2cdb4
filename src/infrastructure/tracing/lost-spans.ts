/** Says of spans that are lost: at once, then once a minute while it goes on, with how many; at the stop what is not told yet. */
import type { Logger } from '../../application/delivery/ports.js';

export interface LostSpans {
  /** One found the queue full. */
  queueFull(): void;
  /** One found a place. */
  queueTakes(): void;
  exportFailed(spans: number, error: Error | undefined): void;
  exportWorks(): void;
  /** The last that is said. `unsent`: made, and neither sent nor told as lost. */
  stopped(unsent: number): void;
}

const SAY_EVERY_MS = 60_000;

/** `now`: a clock that does not go back, ms. */
export function createLostSpans(log: Logger, now: () => number = () => performance.now()): LostSpans {
  let failing = false;
  let over = false;
  let reason = '';
  const full = occasionally(now, (lostSpans) => log.warn({ lostSpans }, 'tracing.queue_full'));
  const failed = occasionally(now, (lostSpans) => log.warn({ lostSpans, reason }, 'tracing.export_failed'));
  return {
    queueFull: () => full.lose(1),
    queueTakes: () => full.lose(0),
    exportFailed(spans, error) {
      if (over) return; // told as unsent
      failing = true;
      reason = (error?.message ?? 'no reason was given').slice(0, 300);
      failed.lose(spans);
    },
    exportWorks() {
      if (failing && !over) log.info({ lostSpans: failed.take() }, 'tracing.export_works');
      failing = false;
    },
    stopped(unsent) {
      over = true;
      const lostSpans = unsent + full.take() + failed.take();
      if (lostSpans > 0) log.warn({ lostSpans }, 'tracing.lost_at_stop');
    },
  };
}

function occasionally(now: () => number, say: (lostSpans: number) => void) {
  let untold = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  const take = () => {
    const taken = untold;
    untold = 0;
    return taken;
  };
  return {
    take,
    lose(spans: number): void {
      untold += spans;
      if (untold === 0 || now() - saidAt < SAY_EVERY_MS) return;
      saidAt = now();
      say(take());
    },
  };
}
