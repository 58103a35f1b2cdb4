// Real: the faults' own frame and their durations. Fake: the world, of which only what is put on and taken off is looked at.
import { defineFault } from '../../src/main/chaos/faults/define-fault.js';
import { STAGING_FAULTS } from '../../src/main/chaos/faults/index.js';
import { PATIENCE_MS, until, within } from '../../src/main/chaos/faults/wait.js';
import type { ChaosWorld, FaultContext } from '../../src/main/chaos/ports.js';

const world = { outbox: { query: async () => ({ rows: [{ ms: 2_400 }] }) } } as unknown as ChaosWorld;
const context = (signal: AbortSignal = new AbortController().signal): FaultContext => ({
  random: () => 0.5,
  signal,
  durationMs: 20_000,
  short: false,
  patience: 1,
});

function faultOf(inflict: Parameters<typeof defineFault>[0]['inflict']) {
  const healed: string[] = [];
  const fault = defineFault({
    ...({ id: 'F1', title: 'a fault', short: [1, 2], long: [15, 30] } as const),
    heal: async () => void healed.push('healed'),
    inflict,
  });
  return { fault, healed };
}

describe('a fault', () => {
  it('is healed once, however it ends', async () => {
    const over = faultOf(async (_world, { heal }) => {
      await heal();
      return { happened: 1, what: 'it was' };
    });
    await over.fault.inject(world, context());
    const thrown = faultOf(async () => {
      throw new Error('could not be put on');
    });
    await expect(thrown.fault.inject(world, context())).rejects.toThrow('could not be put on');
    expect([over.healed, thrown.healed]).toEqual([['healed'], ['healed']]);
  });

  it('tells what did not hold, but not of a run that was given up', async () => {
    const { fault } = faultOf(async (_world, { problems }) => {
      problems.push('it did not come back');
      return { happened: 1, what: 'it was' };
    });
    expect(await fault.inject(world, context())).toMatchObject({
      problems: ['it did not come back'],
      breakerMs: 2_400,
    });
    expect((await fault.inject(world, context(AbortSignal.abort()))).problems).toEqual([]);
  });

  it('tells when it was healed, not when it had seen enough', async () => {
    let healedAt = 0;
    const { fault } = faultOf(async (_world, { heal }) => {
      await heal();
      healedAt = Date.now();
      while (Date.now() - healedAt < 5);
      return { happened: 1, what: 'it was' };
    });
    expect((await fault.inject(world, context())).healedAt).toBeLessThanOrEqual(healedAt);
  });
});

describe('the faults that need no servers', () => {
  it('are listed once each', () => {
    const ids = STAGING_FAULTS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const wanted = [1, 2, 3, 4, 5, 6, 8, 12, 14, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31];
    expect([...ids].sort()).toEqual(wanted.map((n) => `F${n}`).sort());
  });

  it.each(STAGING_FAULTS.map((fault) => [fault.id, fault] as const))(
    '%s is shorter in a short run, whatever is drawn',
    (_id, fault) => {
      expect(fault.duration(() => 0.999, true)).toBeLessThan(fault.duration(() => 0, false));
    },
  );
});

describe('waiting in a fault', () => {
  it('is over at once when the run is given up', async () => {
    const signal = AbortSignal.abort();
    const never = new Promise<never>(() => {});
    expect(await until(() => false, { withinMs: PATIENCE_MS, signal })).toBe(false);
    expect(await within(PATIENCE_MS, signal, never)).toBeNull();
  });

  it('takes what throws for not yet', async () => {
    let asked = 0;
    const test = () => {
      asked += 1;
      if (asked < 3) throw new Error('away');
      return true;
    };
    expect(await until(test, { ...context(), withinMs: 5_000, everyMs: 1 })).toBe(true);
  });
});
