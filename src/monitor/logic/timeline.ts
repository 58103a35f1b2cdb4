import type { EventDetail } from '../../contract/events-api.js';
import { formatDuration } from './format.js';
import { capital } from './headline.js';
import { type Around, type Hold, whyItRests, whyItWaits } from './why-waits.js';
import type { Shape, Tone } from './words.js';

/** One thing that happened to an event, or that will. */
export interface Step {
  readonly key: string;
  /** null: nobody wrote down when. */
  readonly at: string | null;
  readonly title: string;
  readonly tone: Tone;
  readonly shape: Shape;
  readonly epoch: number | null;
  /** Another's text, in its order. */
  readonly told: readonly string[];
  readonly code: string | null;
  readonly run: Run | null;
  readonly letterId: string | null;
}

type Run = NonNullable<EventDetail['attempts'][number]['run']>;
type Attempt = EventDetail['attempts'][number];
type Letter = EventDetail['letters'][number];

/** As many of its attempts, letters and edits are told of: the latest. */
export const MOST_TOLD = 200;

/** Whether there may be earlier ones. */
export function isCut(...lists: readonly (readonly unknown[])[]): boolean {
  return lists.some((list) => list.length >= MOST_TOLD);
}

const PLAIN = { at: null, epoch: null, told: [], code: null, run: null, letterId: null } as const;

const CUT: Step = {
  ...PLAIN,
  key: 'cut',
  title: `Only the latest ${MOST_TOLD} attempts, letters and edits are told of here`,
  tone: 'unknown',
  shape: 'question',
};

/**
 * The way of an event: recorded, claimed, started, each attempt that failed, letters and what people did, its end, and
 * what comes next, or what holds it. By time; what has none stands where it belongs in that order.
 */
export function timelineOf(event: EventDetail, around: Around): readonly Step[] {
  const { delivery } = event;
  const dated = [
    ...event.attempts.map(attemptStep),
    ...event.letters.flatMap(letterSteps),
    ...event.revisions.map(
      (revision): Step => ({
        ...PLAIN,
        key: `revision-${revision.epoch}-${revision.createdAt}`,
        at: revision.createdAt,
        title: 'Payload edited',
        tone: 'info',
        shape: 'repeat',
        epoch: revision.epoch,
        told: [revision.actor, revision.reason],
      }),
    ),
    ...(delivery === null || delivery.startedAt === null ? [] : [startedStep(delivery, delivery.startedAt)]),
    ...endSteps(event),
  ].sort((a, b) => Date.parse(a.at ?? '') - Date.parse(b.at ?? ''));
  return [
    { ...PLAIN, key: 'recorded', at: event.recordedAt, title: 'Recorded', tone: 'good', shape: 'check' },
    ...(isCut(event.attempts, event.letters, event.revisions) ? [CUT] : []),
    ...dated,
    ...openSteps(event, around),
  ];
}

/** Whether several times of delivery are told apart. */
export function hasEpochs(steps: readonly Step[]): boolean {
  return steps.some(({ epoch }) => epoch !== null && epoch > 0);
}

function startedStep(delivery: NonNullable<EventDetail['delivery']>, at: string): Step {
  const { epoch, run, carrier } = delivery;
  const title = carrier === null ? 'Workflow started' : 'Taken by a batch';
  return { ...PLAIN, key: 'started', at, title, tone: 'good', shape: 'play', epoch, run };
}

function attemptStep(attempt: Attempt): Step {
  const { epoch, n, local, code, status, message, delayMs, worker, finishedAt } = attempt;
  const told = [
    message ?? '',
    status === null ? '' : `HTTP ${status}`,
    delayMs === null ? '' : `next one after ${formatDuration(delayMs)}`,
    worker === null ? '' : `by ${worker}`,
  ].filter((text) => text !== '');
  const base = { ...PLAIN, key: `attempt-${epoch}-${n}`, epoch, told, code, run: attempt.run };
  const which = `Attempt ${n}${local ? ' (within the workflow)' : ''}`;
  if (code !== null) {
    return { ...base, at: finishedAt ?? attempt.startedAt, title: `${which} failed`, tone: 'bad', shape: 'cross' };
  }
  if (finishedAt === null) {
    return { ...base, at: attempt.startedAt, title: `${which} is under way`, tone: 'info', shape: 'play' };
  }
  return { ...base, at: finishedAt, title: `${which} succeeded`, tone: 'good', shape: 'check' };
}

function letterSteps(letter: Letter): Step[] {
  const { id, epoch, code, state, createdAt, stateAt, actor, reason } = letter;
  const base = { ...PLAIN, epoch, letterId: id };
  const written: Step = {
    ...base,
    key: `letter-${id}`,
    at: createdAt,
    title: 'Dead letter written',
    tone: 'bad',
    shape: 'cross',
    code,
  };
  if (state === 'open') return [written];
  const told = [actor ?? '', reason ?? ''].filter((text) => text !== '');
  const tone = state === 'discarded' ? 'quiet' : state === 'resolved' ? 'good' : 'info';
  const shape = state === 'discarded' ? 'slash' : state === 'resolved' ? 'check' : 'repeat';
  const key = `letter-${id}-${state}`;
  return [written, { ...base, key, at: stateAt ?? createdAt, title: `Dead letter ${state}`, tone, shape, told }];
}

function endSteps({ state, settledAt, delivery }: EventDetail): Step[] {
  if (settledAt === null || (state !== 'delivered' && state !== 'discarded')) return [];
  const quick = delivery !== null && delivery.startedAt === null && state === 'delivered';
  return [
    {
      ...PLAIN,
      key: 'settled',
      at: settledAt,
      title: capital(state),
      tone: state === 'delivered' ? 'good' : 'quiet',
      shape: state === 'delivered' ? 'check' : 'slash',
      epoch: delivery?.epoch ?? null,
      told: quick ? ['quicker than the mark of its start'] : [],
      run: quick ? delivery.run : null,
    },
  ];
}

/** What is going on, and what comes next. */
function openSteps(event: EventDetail, around: Around): Step[] {
  const { state, dueAt, delivery } = event;
  if (delivery === null) {
    return [{ ...PLAIN, key: 'none', title: 'It has no delivery', tone: 'bad', shape: 'warning' }];
  }
  const base = { ...PLAIN, epoch: delivery.epoch };
  const steps: Step[] = [];
  if (state === 'waiting') steps.push(...waitSteps(event, around, base));
  if ((state === 'running' || state === 'retrying') && delivery.startedAt === null) {
    steps.push({ ...base, key: 'runs', title: 'Its workflow runs', tone: 'info', shape: 'play', run: delivery.run });
  }
  const underWay = event.attempts.some(({ finishedAt }) => finishedAt === null);
  if ((state === 'running' || state === 'retrying') && !underWay) {
    steps.push(...whyItRests(event, around).map((hold) => heldStep(hold, base)));
  }
  if (state === 'retrying' && dueAt !== null && !delivery.claimed) {
    steps.push({ ...base, key: 'due', at: dueAt, title: 'Next attempt', tone: 'info', shape: 'clock' });
  }
  return steps;
}

function heldStep({ until, ...hold }: Hold, base: Pick<Step, keyof typeof PLAIN>): Step {
  return { ...base, ...hold, at: until };
}

/** Why no run of it is under way. Where what could hold it is not known, that is said. */
function waitSteps(event: EventDetail, around: Around, base: Pick<Step, keyof typeof PLAIN>): Step[] {
  if (event.blocked) {
    const title = 'Waits for an earlier event of its aggregate';
    return [{ ...base, key: 'waits', title, tone: 'warn', shape: 'pause' }];
  }
  if (event.delivery?.claimed) {
    return [{ ...base, key: 'waits', title: 'A relay has claimed it', tone: 'info', shape: 'clock' }];
  }
  const holds = whyItWaits(event, around);
  if (holds.length > 0) return holds.map((hold) => heldStep(hold, base));
  const known = around.destinations !== null && around.processes !== null;
  const told = known ? [] : ['Whether a pause, its destination or the lack of a relay holds it is not known here'];
  const waits: Step = { ...base, key: 'waits', title: 'Waits for a relay', tone: 'info', shape: 'clock', told };
  if (event.dueAt === null) return [waits];
  return [waits, { ...base, key: 'due', at: event.dueAt, title: 'Due', tone: 'info', shape: 'clock' }];
}
