import type { EventDetail } from '../../contract/events-api.js';
import type { OverviewValue } from '../../contract/overview-api.js';
import type { Shape, Tone } from './words.js';

/** What stands around an event that waits, as the stream tells it; null: not known now, or not this person's to see. */
export interface Around {
  readonly destinations: OverviewValue<'destinations'> | null;
  readonly processes: OverviewValue<'processes'> | null;
  /** The server's clock. */
  readonly now: number;
}

/** One thing that holds it. */
export interface Hold {
  readonly key: string;
  readonly title: string;
  readonly tone: Tone;
  readonly shape: Shape;
  /** Another's text, in its order. */
  readonly told: readonly string[];
  /** When it ends by itself; null: nobody knows. */
  readonly until: string | null;
}

type Waiting = Pick<EventDetail, 'destination' | 'eventType' | 'tenantId' | 'dueAt'>;
type Destinations = OverviewValue<'destinations'>;
type Processes = OverviewValue<'processes'>;
type Pause = Destinations['pauses'][number];
type Destination = Destinations['destinations'][number];

/** Everything that holds back an event that no relay has taken, the firmest first; none: it is a relay's turn. */
export function whyItWaits(event: Waiting, around: Around): readonly Hold[] {
  const own = ownOf(event, around);
  return [
    ...pausesOf(event, around),
    ...nobodyOf('relay', around.processes),
    ...noTemporal(around.processes),
    ...(own === undefined ? [] : [...leftAlone(own), ...atItsCap(own)]),
    ...notYet(event, around.now),
  ];
}

/** Everything that holds back a run that was started and has no attempt under way; none: it is its worker's turn, or its own time. */
export function whyItRests(event: Waiting, around: Around): readonly Hold[] {
  const own = ownOf(event, around);
  return [
    ...pausesOf(event, around),
    ...nobodyOf('worker', around.processes),
    ...(own === undefined ? [] : leftAlone(own)),
  ];
}

function ownOf({ destination }: Waiting, { destinations }: Around): Destination | undefined {
  return destinations?.destinations.find(({ name }) => name === destination);
}

function pausesOf(event: Waiting, { destinations, now }: Around): Hold[] {
  return (destinations?.pauses ?? []).filter((pause) => isHeldBy(event, pause, now)).map(pausedBy);
}

const PLAIN = { tone: 'bad', shape: 'cross', told: [], until: null } as const;

const livingOf = (role: 'relay' | 'worker', processes: Processes) =>
  processes.filter(({ silent, roles }) => !silent && roles.includes(role));

function nobodyOf(role: 'relay' | 'worker', processes: Processes | null): Hold[] {
  if (processes === null || livingOf(role, processes).length > 0) return [];
  return [{ ...PLAIN, key: `no ${role}`, title: `No ${role} tells of itself` }];
}

/** What is started is started by any of them. */
function noTemporal(processes: Processes | null): Hold[] {
  const said = processes === null ? [] : livingOf('relay', processes).map(({ temporal }) => temporal);
  const [first] = said;
  if (first === undefined || !said.every((temporal) => temporal?.ok === false)) return [];
  const reason = first?.reason ?? 'it does not answer';
  return [{ ...PLAIN, key: 'temporal', title: 'No relay reaches Temporal', told: [reason] }];
}

function isHeldBy({ destination, eventType, tenantId }: Waiting, pause: Pause, now: number): boolean {
  return (
    (pause.destination === null || pause.destination === destination) &&
    (pause.eventType === null || pause.eventType === eventType) &&
    // The empty text: events without a tenant.
    (pause.tenantId === null || pause.tenantId === (tenantId ?? '')) &&
    (pause.until === null || Date.parse(pause.until) > now)
  );
}

function pausedBy({ id, actor, reason, until }: Pause): Hold {
  const title = until === null ? 'Held by a pause' : 'Held by a pause, until';
  return { key: `pause ${id}`, title, tone: 'warn', shape: 'pause', told: [actor, reason], until };
}

function leftAlone({ breaker, failures, reason, openUntil }: Destination): Hold[] {
  if (breaker === 'closed') return [];
  const why = reason === null ? '' : ` by ${reason.code}${reason.status === null ? '' : ` ${reason.status}`}`;
  const told = failures === 0 ? [] : [`${failures} ${failures === 1 ? 'failure' : 'failures in a row'}${why}`];
  const alone = openUntil === null ? 'Its destination is left alone' : 'Its destination is left alone, until';
  return breaker === 'open'
    ? [{ key: 'open', title: alone, tone: 'bad', shape: 'cross', told, until: openUntil }]
    : [{ key: 'half', title: 'Its destination is being tried', tone: 'warn', shape: 'half', told, until: null }];
}

function atItsCap({ maxRuns, running }: Destination): Hold[] {
  if (maxRuns === null || running < maxRuns) return [];
  const told = [`its cap is ${maxRuns}`];
  return [
    {
      key: 'cap',
      title: 'Its destination has as many runs as it may',
      tone: 'info',
      shape: 'clock',
      told,
      until: null,
    },
  ];
}

function notYet({ dueAt }: Waiting, now: number): Hold[] {
  if (dueAt === null || Date.parse(dueAt) <= now) return [];
  return [{ key: 'not yet', title: 'Waits until it is due', tone: 'info', shape: 'clock', told: [], until: dueAt }];
}
