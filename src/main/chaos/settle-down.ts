/** The end of a run: everything healed, every event on its way seen to its end, the destination silent. */
import type { ChaosWorld } from './ports.js';
import { readLine } from './watch-line.js';
import { OverdueError, pause, within } from './within.js';

/** A proxy, a member: healing hangs on none of them. */
const HEAL_MS = 15_000;
const READY_MS = 90_000;
/** Longer than the reconciler leaves a row alone (five minutes past its time), a tick of it and a retry. */
const STUCK_MS = 7 * 60_000;
const TOTAL_MS = 30 * 60_000;
const POLL_MS = 250;
/** Longer than a send that was given up may still be under way (20 s), so that what comes late is in the book, too. */
const SILENT_MS = 22_000;

/** Problems, each a sentence; never rejects. `ready`: waits until every role is back. */
export async function healAll(
  { proxies, ledger, notices, fleet }: ChaosWorld,
  { ready = true }: { readonly ready?: boolean } = {},
): Promise<string[]> {
  ledger.mode(() => ({ kind: 'take' }));
  notices.mode(() => ({ status: 200 }));
  const healed = Object.values(proxies).map((proxy) => within(HEAL_MS, `proxy ${proxy.name} to heal`, proxy.heal()));
  const back = (ready ? fleet.members : []).map((member) =>
    within(READY_MS + 5_000, `${member.name} to be ready`, member.untilReady(READY_MS)),
  );
  const ends = await Promise.allSettled([...healed, ...back]);
  return ends.flatMap((end) => (end.status === 'rejected' ? [messageOf(end.reason)] : []));
}

export interface SettledDown {
  /** Events and notices that did not come to their end in time. 0: all did. */
  readonly open: number;
  readonly unsent: number;
  /** The ledger got no request any more for as long as a forgotten send may take. */
  readonly silent: boolean;
  readonly tookMs: number;
}

/**
 * Waits while it gets less: seven minutes without progress, or half an hour, end it. Then until the ledger was silent for as
 * long as a forgotten send may take.
 */
export async function settleDown(
  world: Pick<ChaosWorld, 'outbox' | 'ledger'>,
  { signal, onState }: { signal: AbortSignal; onState: (open: number | null) => void },
): Promise<SettledDown> {
  const begun = performance.now();
  let least = Number.POSITIVE_INFINITY;
  let movedAt = begun;
  let seen = { open: Number.NaN, unsent: Number.NaN };
  for (;;) {
    signal.throwIfAborted();
    const line = await readLine(world.outbox);
    onState(line?.open ?? null);
    const now = performance.now();
    if (line !== null) {
      seen = line;
      const left = line.open + line.unsent;
      if (left < least) [least, movedAt] = [left, now];
      if (left === 0) break;
    }
    if (now - movedAt > STUCK_MS || now - begun > TOTAL_MS) break;
    await pause(POLL_MS, signal);
  }
  const silent = await untilSilent(world.ledger, signal);
  return { ...seen, silent, tookMs: Math.round(performance.now() - begun) };
}

async function untilSilent({ requests }: ChaosWorld['ledger'], signal: AbortSignal): Promise<boolean> {
  const until = performance.now() + STUCK_MS;
  for (
    let count = requests.length, since = performance.now();
    performance.now() < until;
    await pause(POLL_MS, signal)
  ) {
    signal.throwIfAborted();
    if (requests.length !== count) [count, since] = [requests.length, performance.now()];
    if (performance.now() - since > SILENT_MS) return true;
  }
  return false;
}

function messageOf(error: unknown): string {
  return error instanceof OverdueError
    ? error.message
    : `healing: ${error instanceof Error ? error.message : String(error)}`;
}
