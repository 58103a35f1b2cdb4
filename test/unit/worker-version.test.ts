// Which build a worker is, and what it says of itself while Temporal gives runs to it or to another. The routing and the
// pauses are scripted.
import {
  strandedBuilds,
  type VersionRouting,
  whyIdle,
  whyNotInPlace,
} from '../../src/application/delivery/worker-version.js';
import { watchWorkerVersion, workerVersionOf } from '../../src/main/watch-worker-version.js';

const OWN = { deploymentName: 'shop', buildId: 'b' };
const ramp = (buildId: string, percentage: number) => ({ buildId, percentage });
const routing = (current: string | null, ramping: VersionRouting['ramping'] = null) => ({ current, ramping });

describe('the build of a worker', () => {
  const settings = { workerDeployment: 'shop', workerBuildId: undefined };

  it('is the release and a hash of its workflows, unless a setting names it', () => {
    expect(workerVersionOf(settings, 'code')?.buildId).toMatch(/^\d+\.\d+\.\d+\S*-[0-9a-f]{12}$/);
    expect(workerVersionOf(settings, 'code')).not.toEqual(workerVersionOf(settings, 'other code'));
    expect(workerVersionOf({ ...settings, workerBuildId: 'mine' }, 'code')).toEqual({ ...OWN, buildId: 'mine' });
  });

  it('is none where versioning is off', () => {
    expect(workerVersionOf({ workerDeployment: undefined, workerBuildId: 'mine' }, 'code')).toBeNull();
  });
});

it.each([
  ['it is current', routing('b'), { idle: false, inPlace: true }],
  ['it is current, and another ramps', routing('b', ramp('c', 99)), { idle: false, inPlace: true }],
  ['another is current', routing('a'), { idle: true, inPlace: false }],
  ['none is current', routing(null), { idle: true, inPlace: false }],
  ['it gets a share', routing('a', ramp('b', 10)), { idle: false, inPlace: false }],
  ['it gets all that it can by a ramp', routing('a', ramp('b', 100)), { idle: false, inPlace: true }],
  ['its ramp stands at nothing', routing('a', ramp('b', 0)), { idle: true, inPlace: false }],
])('while %s, a worker says whether it gets runs, and whether it may take the place of others', (_, now, expected) => {
  expect({ idle: whyIdle(OWN, now) !== null, inPlace: whyNotInPlace(OWN, now) === null }).toEqual(expected);
});

it.each([
  [routing('a'), ['a', 'b'], []],
  [routing('a'), ['b'], ['a']],
  [routing('a', ramp('b', 10)), ['a'], ['b']],
  [routing('a', ramp('b', 10)), [], ['a', 'b']],
  // Nobody needs the current one then.
  [routing('a', ramp('b', 100)), ['b'], []],
  [routing('a', ramp('b', 0)), ['a'], []],
  [routing(null), [], []],
])('of %j, with workers of %j, the runs of %j wait', (now, polling, stranded) => {
  expect(strandedBuilds(now, polling)).toEqual(stranded);
});

describe('a worker that runs', () => {
  /** Each look answers with the next; `next` lets it come. */
  function watch(...answers: (VersionRouting | Error)[]) {
    const lines: string[] = [];
    const line = (_: object, message: string) => void lines.push(message);
    let wake = () => {};
    const watched = watchWorkerVersion(
      {
        readRouting: async () => {
          const answer = answers.shift() ?? new Error('no more answers');
          if (answer instanceof Error) throw answer;
          return answer;
        },
        log: { debug: line, info: line, warn: line, error: line },
        time: {
          sleep: (_, signal) =>
            new Promise((resolve) => {
              wake = resolve;
              signal?.addEventListener('abort', () => resolve());
            }),
        },
      },
      OWN,
    );
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    const seen = () => ({
      ready: watched.notReady() === null,
      warned: watched.warnings().length > 0,
      routed: watched.routed(),
    });
    return {
      ...{ watched, lines, seen },
      next: async () => {
        wake();
        await settled();
        return seen();
      },
    };
  }

  it('is not ready before Temporal has said that its build gets the runs', async () => {
    const { seen, next, watched } = watch(new Error('away'), routing('a'), routing('b'));
    expect(seen()).toEqual({ ready: false, warned: false, routed: null });
    expect(await next()).toEqual({ ready: false, warned: true, routed: null });
    expect(watched.notReady()).toContain('away');
    expect(await next()).toEqual({ ready: false, warned: true, routed: false });
    expect(watched.notReady()).toContain('current is a');
    expect(await next()).toEqual({ ready: true, warned: false, routed: true });
    await watched.stop();
  });

  it('stays ready, or not, while Temporal does not say, and tells no value of before as one of now', async () => {
    const { next, watched, lines } = watch(routing('b'), new Error('away'), routing('a'), new Error('away'));
    expect(await next()).toMatchObject({ ready: true, routed: true });
    expect(await next()).toEqual({ ready: true, warned: true, routed: null });
    expect(await next()).toMatchObject({ ready: false, routed: false });
    expect(await next()).toEqual({ ready: false, warned: true, routed: null });
    expect(lines).toEqual(['worker_version.routed', ...Array(3).fill('worker_version.idle')]);
    await watched.stop();
  });
});
