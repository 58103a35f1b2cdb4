// R20: when a type is coalesced, by what waits of it. The store is scripted, and time moves where a test moves it.
import { OFF_AFTER_MS, watchBacklog } from '../../src/application/delivery/coalescing/watch-backlog.js';
import type { PolicyInput } from '../../src/application/delivery/policy-schema.js';
import { resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import type { WaitingType } from '../../src/application/delivery/ports.js';

type Form = PolicyInput['coalescing'];
/** One each second: the first of them is when it begins to be low. */
const OFF_AFTER_LOOKS = OFF_AFTER_MS / 1_000 + 1;
const ADAPTIVE = { mode: 'adaptive', size: 50, above: 100, below: 20 } as const;

describe('an adaptive type', () => {
  it('R20: is on from its backlog on, and stays until there has been less than the lower one for a while', async () => {
    const { sizesAfter } = watch({ AUTH: ADAPTIVE });
    const seen: [number, boolean][] = [];
    const see = async (...counts: number[]) => {
      for (const waiting of counts)
        seen.push([waiting, (await sizesAfter({ 'audit.log AUTH': waiting }))['audit.log']?.AUTH === 50]);
    };
    await see(0, 99, 100, 60, 20);
    await sizesAfter({ 'audit.log AUTH': 19 }, OFF_AFTER_LOOKS - 2);
    await see(19, 19, 99, 20, 100);
    expect(seen).toEqual([
      ...[
        [0, false],
        [99, false],
        [100, true],
        [60, true],
        [20, true],
      ],
      ...[
        [19, true],
        [19, false],
        [99, false],
        [20, false],
        [100, true],
      ],
    ]);
  });

  it('R20: a load that batches only just carry away keeps it on: one look that is not low begins anew', async () => {
    const { sizesAfter, told } = watch({ AUTH: ADAPTIVE });
    await sizesAfter({ 'audit.log AUTH': 100 });
    for (let i = 0; i < 3; i += 1) {
      await sizesAfter({ 'audit.log AUTH': 0 }, OFF_AFTER_LOOKS - 1);
      expect((await sizesAfter({ 'audit.log AUTH': 20 }))['audit.log']?.AUTH).toBe(50);
    }
    expect(told.map(({ message }) => message)).toEqual(['relay.coalescing_on']);
  });

  it('R20: each destination by itself', async () => {
    const { sizesAfter } = watch({ AUTH: ADAPTIVE }, ['audit.log', 'erp.sync']);
    const first = await sizesAfter({ 'audit.log AUTH': 100, 'erp.sync AUTH': 99 });
    expect([first['audit.log']?.AUTH, first['erp.sync']?.AUTH]).toEqual([50, 0]);
    const second = await sizesAfter({ 'audit.log AUTH': 30, 'erp.sync AUTH': 30 });
    expect([second['audit.log']?.AUTH, second['erp.sync']?.AUTH]).toEqual([50, 0]);
    const third = await sizesAfter({ 'erp.sync AUTH': 500 }, OFF_AFTER_LOOKS);
    expect([third['audit.log']?.AUTH, third['erp.sync']?.AUTH]).toEqual([0, 50]);
  });

  it('R20: each type by its own bounds; "*" for every other, one by one', async () => {
    const { sizesAfter, asked } = watch({
      '*': ADAPTIVE,
      BILLING: { mode: 'adaptive', size: 10, above: 1_000, below: 500 },
      QUIET: 'off',
    });
    const sizes = await sizesAfter({
      'audit.log BILLING': 999,
      'audit.log OTHER': 100,
      'audit.log FEW': 99,
      'audit.log QUIET': 1_000,
    });
    expect(sizes).toEqual({ 'audit.log': { '*': 0, BILLING: 0, QUIET: 0, OTHER: 50 } });
    expect((await sizesAfter({ 'audit.log BILLING': 1_000, 'audit.log OTHER': 20 }))['audit.log']).toEqual({
      ...{ '*': 0, BILLING: 10, QUIET: 0, OTHER: 50 },
    });
    // As far as any of them needs, and no further.
    expect(new Set(asked.map(({ most }) => most))).toEqual(new Set([1_000]));
  });

  it('R20: a switch is told once, with what was counted', async () => {
    const { sizesAfter, told } = watch({ AUTH: ADAPTIVE });
    for (const waiting of [50, 150, 150, 30]) await sizesAfter({ 'audit.log AUTH': waiting });
    await sizesAfter({ 'audit.log AUTH': 10 }, OFF_AFTER_LOOKS + 5);
    for (const waiting of [0, 120]) await sizesAfter({ 'audit.log AUTH': waiting });
    expect(told).toEqual([
      { message: 'relay.coalescing_on', destination: 'audit.log', eventType: 'AUTH', waiting: 100 },
      { message: 'relay.coalescing_off', destination: 'audit.log', eventType: 'AUTH' },
      { message: 'relay.coalescing_on', destination: 'audit.log', eventType: 'AUTH', waiting: 100 },
    ]);
  });

  it('R20: one that nothing waits of any more is off, and told so once', async () => {
    const { sizesAfter, told } = watch({ AUTH: ADAPTIVE });
    await sizesAfter({ 'audit.log AUTH': 100 });
    expect((await sizesAfter({}, OFF_AFTER_LOOKS))['audit.log']?.AUTH).toBe(0);
    await sizesAfter({}, OFF_AFTER_LOOKS);
    expect(told.map(({ message }) => message)).toEqual(['relay.coalescing_on', 'relay.coalescing_off']);
  });
});

describe('counting', () => {
  it('R20: begins at once, and goes on once a second at most', async () => {
    const { backlog, asked, pass } = watch({ AUTH: ADAPTIVE });
    for (let i = 0; i < 50; i += 1) {
      await backlog.look();
      pass(100);
    }
    expect(asked).toHaveLength(5);
    expect(asked[0]).toEqual({ destinations: ['audit.log'], most: 100 });
  });

  it('R20: one that fails changes nothing, keeps no claim, and is tried again ten seconds later', async () => {
    const { backlog, sizesAfter, asked, pass, failNext } = watch({ AUTH: ADAPTIVE });
    const on = await sizesAfter({ 'audit.log AUTH': 100 });
    failNext();
    pass(1_000);
    await backlog.look();
    pass(9_000);
    await backlog.look();
    expect([backlog.sizes(), asked.length]).toEqual([on, 2]);
    pass(1_000);
    await backlog.look();
    expect(asked).toHaveLength(3);
  });

  it.each<[string, Readonly<Record<string, Form>>, readonly string[]]>([
    ['no type is adaptive', { '*': 'off', AUTH: 'always' }, ['audit.log']],
    ['no handler takes events together', { '*': 'adaptive' }, []],
  ])('R20: does not, where %s', async (_, forms, destinations) => {
    const { backlog, asked, pass } = watch(forms, destinations);
    for (let i = 0; i < 3; i += 1) {
      await backlog.look();
      pass(1_000);
    }
    expect(asked).toEqual([]);
  });
});

describe('without a backlog', () => {
  it.each<[string, Readonly<Record<string, Form>>, object]>([
    ['nothing is said', {}, {}],
    ['all is off', { '*': 'off', AUTH: 'off' }, {}],
    ['everything always', { '*': 'always' }, { '*': 200 }],
    ['a type always', { AUTH: { mode: 'always', size: 7 } }, { '*': 0, AUTH: 7 }],
    ['all but one', { '*': { mode: 'always', size: 9 }, AUTH: 'off' }, { '*': 9, AUTH: 0 }],
    ['one adaptive, the others always', { '*': 'always', AUTH: 'adaptive' }, { '*': 200, AUTH: 0 }],
    [
      'a type with another policy of its own',
      { '*': { mode: 'always', size: 9 }, AUTH: undefined },
      { '*': 9, AUTH: 9 },
    ],
  ])('R20: %s', (_, forms, sizes) => {
    const { backlog } = watch(forms, ['audit.log', 'erp.sync']);
    const nothing = Object.keys(sizes).length === 0;
    expect(backlog.sizes()).toEqual(nothing ? {} : { 'audit.log': sizes, 'erp.sync': sizes });
  });

  it('R20: what is always on stays on beside what is switched', async () => {
    const { sizesAfter } = watch({ '*': { mode: 'always', size: 9 }, AUTH: ADAPTIVE });
    expect(await sizesAfter({ 'audit.log AUTH': 100, 'audit.log OTHER': 1 })).toEqual({
      'audit.log': { '*': 9, AUTH: 50 },
    });
    expect(await sizesAfter({}, OFF_AFTER_LOOKS)).toEqual({ 'audit.log': { '*': 9, AUTH: 0 } });
  });
});

describe('what a person is told of', () => {
  it('R20: every type that may be coalesced, with whether it is now, at each destination; none that never is', async () => {
    const forms = { '*': ADAPTIVE, BILLING: 'always', QUIET: 'off' } as const;
    const { backlog, sizesAfter } = watch(forms, ['audit.log', 'erp.sync']);
    const lanes = () => backlog.read().map(({ destination, eventType, on }) => `${destination} ${eventType} ${on}`);
    const off = ['audit.log BILLING true', 'audit.log * false', 'erp.sync BILLING true', 'erp.sync * false'];
    expect(lanes()).toEqual(off);
    await sizesAfter({ 'erp.sync OTHER': 100, 'erp.sync QUIET': 5_000 });
    expect(lanes()).toEqual([...off, 'erp.sync OTHER true']);
    await sizesAfter({}, OFF_AFTER_LOOKS);
    expect(lanes()).toEqual(off);
  });

  it('R20: nothing, where no type is ever coalesced', () => {
    expect(watch({ '*': 'off' }).backlog.read()).toEqual([]);
  });
});

// ---- The scripted store ------------------------------------------------------------------------------------------------

function watch(forms: Readonly<Record<string, Form>>, destinations: readonly string[] = ['audit.log']) {
  const asked: { destinations: readonly string[]; most: number }[] = [];
  const told: { message: string; [field: string]: unknown }[] = [];
  let waiting: Readonly<Record<string, number>> = {};
  let fails = false;
  let now = 0;
  const tell = (fields: object, message: string) => void told.push({ message, ...fields });
  const input = Object.fromEntries(
    Object.entries(forms).map(([type, form]) => [type, form === undefined ? {} : { coalescing: form }]),
  );
  const backlog = watchBacklog(
    {
      log: { debug: tell, info: tell, warn: tell, error: tell },
      time: { now: () => now, sleep: async () => {}, random: () => 0.5 },
      store: {
        async countWaiting(names, most) {
          asked.push({ destinations: names, most });
          if (fails) {
            fails = false;
            throw new Error('away');
          }
          return Object.entries(waiting).map(([name, count]): WaitingType => {
            const [destination = '', eventType = ''] = name.split(' ');
            return { destination, eventType, waiting: Math.min(most, count) };
          });
        },
      },
    },
    { destinations, coalescings: resolvePolicies(input).coalescings },
  );
  return {
    backlog,
    asked,
    told,
    pass(ms: number) {
      now += ms;
    },
    failNext() {
      fails = true;
    },
    /** What is coalesced a second later, with so many waiting; or so many seconds. */
    async sizesAfter(counts: Readonly<Record<string, number>>, looks = 1) {
      waiting = counts;
      for (let look = 0; look < looks; look += 1) {
        now += 1_000;
        await backlog.look();
      }
      return backlog.sizes();
    },
  };
}
