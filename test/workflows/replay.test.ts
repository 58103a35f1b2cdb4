/**
 * Determinism: histories of real runs replay against the workflow as it is now. The committed ones
 * (test/fixtures/histories/<release>) are of runs of each release, which may still be open somewhere; the fresh ones are
 * written by real runs of this test. Real Temporal and PostgreSQL, scripted dispatcher. `OUTBOX_RECORD_HISTORIES=<release>`
 * keeps the fresh ones, and the built workflow bundle beside them.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { DEFAULT_TIMEOUTS } from '../../src/domain/delivery/delivery-timeouts.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { notifyRunId } from '../../src/domain/delivery/workflow-ids.js';
import { defineNotifier, NotifyError } from '../../src/index.js';
import { readWorkflowBundle } from '../../src/infrastructure/temporal/delivery-worker.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  RECEIPT,
  type Step,
  type WholeStep,
  workflowBundle,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { HISTORIES, keepBundle, keptReleases } from '../support/kept-releases.js';

/** Nothing: they are thrown away. */
const RECORDED = process.env['OUTBOX_RECORD_HISTORIES'];
const broken = new IntegrationError('HTTP.SERVER_ERROR', { status: 500 });
const refused = new IntegrationError('HTTP.CLIENT_ERROR', { status: 404 });
const later = new IntegrationError('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 3_600_000 });

const untilAborted: Step = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new IntegrationError('DELIVERY.CANCELLED')));
  });

/** Longer than 80 % of the workflow task: the SDK has asked for a second one by then. */
const untilSecondTask: Step = async () => {
  await eventually('a second workflow task', async () => (await eventsOf(open)).length >= 6);
  throw broken;
};

const SCENARIOS: Record<string, { steps: Step[]; firstAttempt?: 'regular'; cancel?: true; line?: 'patient' }> = {
  'delivered-locally': { steps: [RECEIPT] },
  'delivered-after-failures': { steps: [broken, broken, RECEIPT] },
  'local-timeout': { steps: [untilAborted, RECEIPT] },
  'local-outlasts-its-task': { steps: [untilSecondTask, RECEIPT], line: 'patient' },
  'busy-then-delivered': { steps: ['busy', RECEIPT] },
  'regular-from-the-start': { steps: [RECEIPT], firstAttempt: 'regular' },
  'dead-after-the-first': { steps: [refused] },
  'dead-after-the-last': { steps: [broken] },
  'cancelled-in-a-backoff': { steps: [later], cancel: true },
};

interface BatchScenario {
  readonly wholes: WholeStep[];
  /** Of its first event. */
  readonly steps?: Step[];
  readonly destinationWell?: false;
  readonly line?: 'patient';
  /** A person's, while it waits for its second post. */
  readonly cancel?: true;
}

/** A scenario that is new since the last release is not among its histories. */
const RECORDED_BY_ALL = [...Object.keys(SCENARIOS), 'notify-group'].map((name) => `${name}.json`);

const wholeUntilAborted: WholeStep = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new IntegrationError('DELIVERY.CANCELLED')));
  });
const wholeUntilSecondTask: WholeStep = async () => {
  await eventually('a second workflow task', async () => (await eventsOf(open)).length >= 6);
  throw broken;
};
const soon = new IntegrationError('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 15_000 });

const BATCHES: Record<string, BatchScenario> = {
  'batch-delivered-locally': { wholes: ['each'] },
  'batch-some-fall-out': { wholes: ['each'], steps: [refused] },
  'batch-delivered-by-the-second': { wholes: [broken, 'each'] },
  'batch-all-fall-out': { wholes: [broken] },
  'batch-local-timeout': { wholes: [wholeUntilAborted, 'each'] },
  'batch-local-outlasts-its-task': { wholes: [wholeUntilSecondTask, 'each'], line: 'patient' },
  'batch-busy-then-delivered': { wholes: ['busy', 'each'] },
  'batch-regular-from-the-start': { wholes: ['each'], destinationWell: false },
  'batch-cancelled-in-a-backoff': { wholes: [soon], cancel: true },
};

let store: DeliveryStore;
let line: DeliveryLine;
let patient: DeliveryLine;
let telling: DeliveryLine;
/** The run of the scenario under way. */
let open: WorkflowHandle;
const { dispatcher, script, scriptBatch } = createScriptedDispatcher();
beforeAll(async () => {
  store = await createDeliveryStore();
  const local = { ...DEFAULT_TIMEOUTS.local, startToCloseMs: 500 };
  line = await createDeliveryLine({ store, dispatcher, timeouts: { ...DEFAULT_TIMEOUTS, local } });
  const long = { ...DEFAULT_TIMEOUTS.local, startToCloseMs: 20_000 };
  patient = await createDeliveryLine({ store, dispatcher, timeouts: { ...DEFAULT_TIMEOUTS, local: long } });
  const notifiers = [
    defineNotifier({ name: 'taken', send: async () => {} }),
    defineNotifier({
      name: 'refused',
      send: () => Promise.reject(new NotifyError('no', { retryable: false, code: 'HTTP.CLIENT_ERROR' })),
    }),
  ];
  telling = await createDeliveryLine({ store, dispatcher, notifiers, notices: { windowMs: 1, giveUpMs: 60_000 } });
  const id = await store.append();
  await line.start(id);
  await line.run(id).result();
  History = (await line.run(id).fetchHistory()).constructor as unknown as HistoryClass;
});
afterAll(async () => {
  if (RECORDED !== undefined) await keepBundle(RECORDED);
  await telling.stop();
  await patient.stop();
  await line.stop();
  await store.close();
});

const eventsOf = async (run: WorkflowHandle) => (await run.fetchHistory()).events ?? [];

/**
 * Histories as JSON, by the message class that the client answers with. The SDK's own historyToJSON and historyFromJSON
 * fail where npm installs more than one copy of protobufjs, as it does here.
 */
interface HistoryClass {
  fromObject(json: object): object;
  toObject(history: object, options: { longs: typeof String; enums: typeof String; bytes: typeof String }): object;
}
let History: HistoryClass;

const read = async (name: string) => History.fromObject(JSON.parse(await readFile(join(HISTORIES, name), 'utf8')));

/** The run's history, kept among the release's where that is asked for. */
async function keep(name: string, run: WorkflowHandle) {
  const history = await run.fetchHistory();
  if (RECORDED !== undefined) {
    const json = History.toObject(history, { longs: String, enums: String, bytes: String });
    await mkdir(join(HISTORIES, RECORDED), { recursive: true });
    await writeFile(join(HISTORIES, RECORDED, `${name}.json`), `${JSON.stringify(json, null, 2)}\n`);
  }
  return history;
}

async function replay(history: unknown, bundle = workflowBundle()): Promise<Error | undefined> {
  const options = { workflowBundle: await bundle, sinks: { exporter: { export: { fn: () => {} } } } };
  for await (const { error } of Worker.runReplayHistories(options, [{ workflowId: 'main:replayed:0', history }])) {
    return error;
  }
  throw new Error('expected the replay to answer');
}

it.each(Object.keys(SCENARIOS))('a fresh history replays: %s', async (name) => {
  const { steps, firstAttempt = 'local', cancel, line: which } = SCENARIOS[name] ?? { steps: [] };
  const own = which === 'patient' ? patient : line;
  const id = await store.append();
  script(id, ...steps);
  open = own.run(id);
  await own.start(id, { firstAttempt });
  const run = own.run(id);
  if (cancel) {
    await eventually('its backoff', async () =>
      (await eventsOf(run)).some((event) => event.timerStartedEventAttributes),
    );
    await run.cancel();
  }
  await run.result().catch(() => undefined);
  expect(await replay(await keep(name, run))).toBeUndefined();
});

it.each(Object.keys(BATCHES))('R20: a fresh history replays: %s', async (name) => {
  const { wholes, steps = [RECEIPT], destinationWell = true, cancel, line: which } = BATCHES[name] ?? { wholes: [] };
  const own = which === 'patient' ? patient : line;
  const carrier = own.carrier();
  const ids = [await store.append({ carrier }), await store.append({ carrier })];
  const run = own.batch(carrier);
  open = run;
  script(ids[0] ?? '', ...steps);
  scriptBatch(...wholes);
  await own.startBatch(carrier, ids, { destinationWell });
  if (cancel) {
    await eventually('the first failure', async () => {
      const timers = (await eventsOf(run)).filter((event) => event.timerStartedEventAttributes);
      return timers.length > 0;
    });
    await run.cancel();
  }
  await run.result();
  expect(await replay(await keep(name, run))).toBeUndefined();
});

it('a fresh history replays: a group told by two channels, one of which is given up', async () => {
  const id = await store.append({ eventType: 'TOLD' });
  script(id, refused);
  await telling.start(id);
  await telling
    .run(id)
    .result()
    .catch(() => undefined);
  const [row] = await store.notifications(id);
  const run = telling.client.workflow.getHandle(notifyRunId({ deployment: telling.deployment, id: row?.id }));
  expect(await run.result()).toEqual({ count: 1, outcome: { taken: 'sent', refused: 'HTTP.CLIENT_ERROR' } });
  expect(await replay(await keep('notify-group', run))).toBeUndefined();
});

it('what is recorded is what a release is held to: scenarios.json', async () => {
  const names = JSON.parse(await readFile(join(HISTORIES, 'scenarios.json'), 'utf8')) as string[];
  expect(names).toEqual([...Object.keys(SCENARIOS), ...Object.keys(BATCHES), 'notify-group'].sort());
});

describe('committed histories', () => {
  it('of every release replay, each of them', async () => {
    const releases = await keptReleases();
    expect(releases.length).toBeGreaterThan(0);
    for (const { version, histories } of releases) {
      // A release that lost some would pass with the rest.
      expect({ version, names: histories }).toEqual({ version, names: expect.arrayContaining(RECORDED_BY_ALL) });
      for (const name of histories) {
        const error = await replay(await read(join(version, name)));
        expect({ version, name, error }).toEqual({ version, name, error: undefined });
      }
    }
  });

  it('the one of another order of steps fails: the gate can fail', async () => {
    const error = await replay(await read('must-fail.json'));
    expect(error?.name).toBe('DeterminismViolationError');
  });

  // Two workers of one build id may differ in this.
  it('of the newest release replay where tracing is on, which adds no step', async () => {
    const traced = readWorkflowBundle(fileURLToPath(new URL('../../dist/workflow-bundle-traced.js', import.meta.url)));
    const { version, histories = [] } = (await keptReleases()).at(-1) ?? {};
    expect(histories.length).toBeGreaterThan(0);
    for (const name of histories) {
      expect({ name, error: await replay(await read(`${version}/${name}`), traced) }).toEqual({
        name,
        error: undefined,
      });
    }
    expect((await replay(await read('must-fail.json'), traced))?.name).toBe('DeterminismViolationError');
  });
});
