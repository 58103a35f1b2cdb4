/** Looks at a run while it goes on: a sample each second, a line of progress every five. */
import type { RunWorld } from './run-chaos.js';
import { readLine } from './watch-line.js';
import { watchUsage } from './watch-usage.js';

export interface Progress {
  readonly phase: Phase;
  readonly elapsedMs: number;
  readonly committed: number;
  /** null: the database is away. */
  readonly open: number | null;
  /** Ids of the faults that hold now. */
  readonly faults: readonly string[];
  readonly done: number;
  readonly scheduled: number;
}

export type Phase = 'warming up' | 'measuring' | 'quiet' | 'flow' | 'healing' | 'settling' | 'stopping';

const SAMPLE_MS = 1_000;
const PROGRESS_MS = 5_000;

export type RunWatch = ReturnType<typeof watchRun>;

/** Whoever runs says the phase and the faults that hold. */
export function watchRun(world: RunWorld, { onProgress }: { readonly onProgress: (progress: Progress) => void }) {
  const began = performance.now();
  const memory = watchUsage(world.fleet, () => world.fleet.memory());
  const handles = watchUsage(world.fleet, () => world.fleet.handles());
  const state = { phase: 'warming up' as Phase, faults: [] as readonly string[], done: 0, scheduled: 0 };
  let open: number | null = null;
  let most = 0;
  let stopped = false;
  const loop = async () => {
    for (
      let saidAt = Number.NEGATIVE_INFINITY;
      !stopped;
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
    ) {
      open = (await readLine(world.outbox))?.open ?? null;
      if (state.phase === 'quiet') most = Math.max(most, open ?? 0);
      // A process that has just ended has none.
      await Promise.allSettled([memory.sample(), handles.sample()]);
      const elapsedMs = performance.now() - began;
      if (elapsedMs - saidAt < PROGRESS_MS) continue;
      saidAt = elapsedMs;
      onProgress({ ...state, elapsedMs, committed: world.producer.committed, open });
    }
  };
  const running = loop();
  return Object.assign(state, {
    mostOpen: () => most,
    memory: () => memory.figures(),
    handles: () => handles.figures(),
    async stop() {
      stopped = true;
      await running;
    },
  });
}
