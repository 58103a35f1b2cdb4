// R20: how the relay starts what it claimed. Temporal is scripted; time stands still, but where a test lets a deadline pass.
import type { ClaimedBatch, ClaimedEvent, StartAnswer } from '../../src/application/delivery/ports.js';
import { type StartRunsOptions, startRuns } from '../../src/application/delivery/start-runs.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';

const STARTED: StartAnswer = { kind: 'started', eager: false };
const EAGER: StartAnswer = { kind: 'started', eager: true };
const EXISTS: StartAnswer = { kind: 'exists' };
const REFUSED: StartAnswer = { kind: 'refused', reason: 'UNAVAILABLE' };
const NEVER = 'never answered';

describe('runs', () => {
  it('R20: one for each event without a carrier, one for each carrier, where its first event stands', async () => {
    const { sent, run } = scripted({});
    const claimed = [own('a'), of('x', 'b'), own('c'), of('y', 'd'), of('x', 'e'), of('y', 'f'), of('x', 'g')];
    const started = await run(claimed);
    expect(sent).toEqual(['a', 'x: b e g', 'c', 'y: d f']);
    expect(idsOf(started.accepted)).toEqual(['a', 'b', 'e', 'g', 'c', 'd', 'f']);
    expect(started).toMatchObject({ refused: [], unsent: [], acceptances: 4, refusals: 0, coalesced: 5, existed: 0 });
  });

  it('R20: what became of a start is counted of its events, but acceptances and refusals of runs', async () => {
    const script = { x: [EAGER], y: [EXISTS], z: [REFUSED], a: [EAGER] };
    const { run } = scripted(script);
    const claimed = [own('a'), own('b'), ...many('x', 10), ...many('y', 20), ...many('z', 40)];
    const started = await run(claimed);
    expect(started).toMatchObject({ eager: 11, existed: 20, coalesced: 30, acceptances: 4, refusals: 1 });
    expect(started.refused).toHaveLength(40);
    expect(new Set(started.refused.map(({ reason }) => reason))).toEqual(new Set(['UNAVAILABLE']));
  });
});

describe('a batch that Temporal did not accept', () => {
  it.each([
    ['it was taken after all', [REFUSED, EXISTS], { existed: 2, acceptances: 1, refusals: 0 }],
    ['it is taken now', [REFUSED, STARTED], { existed: 0, acceptances: 1, refusals: 0 }],
    ['no answer, and then that it was taken', [NEVER, EXISTS], { existed: 2, acceptances: 1, refusals: 0 }],
    ['refused again: one refusal', [REFUSED, REFUSED], { existed: 0, acceptances: 0, refusals: 1 }],
  ] as const)('R20: is asked for once more: %s', async (_, answers, expected) => {
    const { sent, run } = scripted({ x: answers });
    const started = await run([of('x', 'a'), of('x', 'b')]);
    expect(sent).toEqual(['x: a b', 'x: a b']);
    expect(started).toMatchObject({ ...expected, coalesced: expected.acceptances * 2 });
    expect(idsOf(started.accepted).length + started.refused.length).toBe(2);
  });

  it('R20: is asked for once more, whether it is the last of the claim or not', async () => {
    const { sent, run } = scripted({ x: [REFUSED, EXISTS], y: [REFUSED, EXISTS] });
    expect(await run([...many('x', 2), own('a'), ...many('y', 2)])).toMatchObject({ acceptances: 3, refusals: 0 });
    expect(sent.map((one) => one[0])).toEqual(['x', 'x', 'a', 'y', 'y']);
  });

  it('a run of one event is not: its id says who it is', async () => {
    const { sent, run } = scripted({ a: [REFUSED, STARTED] });
    expect(await run([own('a'), own('b')])).toMatchObject({ acceptances: 1, refusals: 1 });
    expect(sent).toEqual(['a', 'b']);
  });

  it('is not, once the relay stops or its lease leaves no time', async () => {
    for (const after of ['stopped', 'late'] as const) {
      const world = scripted({ x: [REFUSED, EXISTS] }, (answered) => (answered ? after : null));
      const started = await world.run([...many('x', 2), own('a')]);
      expect(world.sent).toHaveLength(1);
      expect([started.refused.length, idsOf(started.unsent)]).toEqual([2, ['a']]);
    }
  });
});

describe('into a wall', () => {
  it('R8, R20: after three refused batches the others are not sent, whatever they carry', async () => {
    const { sent, run } = scripted({ '*': [REFUSED] }, undefined, { inFlight: 1 });
    const started = await run(['u', 'v', 'w', 'x', 'y'].flatMap((carrier) => many(carrier, 100)));
    expect([...new Set(sent.map((one) => one[0]))]).toEqual(['u', 'v', 'w']);
    expect(started).toMatchObject({ acceptances: 0, refusals: 3 });
    expect([started.refused.length, started.unsent.length]).toEqual([300, 200]);
  });

  it('R8, R20: one large batch refused beside runs that are accepted is no wall', async () => {
    const { run } = scripted({ x: [REFUSED] });
    const started = await run([...many('x', 300), own('a'), own('b')]);
    expect([started.acceptances > started.refusals, started.unsent]).toEqual([true, []]);
  });
});

// ---- The scripted Temporal ---------------------------------------------------------------------------------------------

/**
 * Answers by the carrier, or the event, or `*`; the last answer stands for all that follow. `end`: how it stands after a start,
 * `answered` or not sent yet.
 */
function scripted(
  script: Readonly<Record<string, readonly (StartAnswer | typeof NEVER)[]>>,
  end: (answered: boolean) => 'stopped' | 'late' | null = () => null,
  options: Partial<StartRunsOptions> = {},
) {
  const sent: string[] = [];
  const times = new Map<string, number>();
  const answer = async (name: string): Promise<StartAnswer> => {
    const n = times.get(name) ?? 0;
    times.set(name, n + 1);
    const steps = script[name] ?? script['*'] ?? [STARTED];
    const step = steps[Math.min(n, steps.length - 1)] ?? STARTED;
    return step === NEVER ? new Promise(() => undefined) : step;
  };
  const starter = {
    start: (event: ClaimedEvent) => {
      sent.push(event.eventId);
      return answer(event.eventId);
    },
    startBatch: ({ carrier, events }: ClaimedBatch) => {
      sent.push(`${carrier}: ${idsOf(events).join(' ')}`);
      return answer(carrier);
    },
  };
  const now = () => (end(sent.length > 0) === 'late' ? 2 : 0);
  // A deadline passes once everything that was answered has been heard.
  const sleep = (_: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timer = setImmediate(() => resolve());
      signal?.addEventListener('abort', () => {
        clearImmediate(timer);
        resolve();
      });
    });
  const run = (events: readonly ClaimedEvent[]) =>
    startRuns({ starter, time: { now, sleep, random: () => 0.5 } }, events, {
      claimedAt: 0,
      ...{ inFlight: 1, startTimeoutMs: 5_000, lastStartAt: 1 },
      stopped: () => end(sent.length > 0) === 'stopped',
      ...options,
    });
  return { sent, run };
}

function event(eventId: string, carrier: string | null): ClaimedEvent {
  return {
    ...{ eventId, carrier, epoch: 0, destination: 'audit.log', eventName: 'a.b.v1', eventType: 'AUTH', tenantId: '' },
    ...{ aggregateType: 'user', aggregateId: '1', policyHash: 'p', policy: DEFAULT_POLICY, firstAttempt: 'local' },
    ...{ destinationWell: true, startTries: 0 },
  } as const;
}

const own = (eventId: string) => event(eventId, null);
const of = (carrier: string, eventId: string) => event(eventId, carrier);
const many = (carrier: string, count: number) => Array.from({ length: count }, (_, i) => of(carrier, `${carrier}${i}`));
const idsOf = (events: readonly ClaimedEvent[]) => events.map(({ eventId }) => eventId);
