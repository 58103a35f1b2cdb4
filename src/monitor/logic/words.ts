import type { EventState } from '../../contract/events-api.js';
import type { OverviewPart, OverviewValue } from '../../contract/overview-api.js';
import type { Verdict } from '../../contract/verdict.js';

/** How each state is said: a word, a shape and a colour, never a colour alone. */

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'unknown' | 'quiet';
export type Shape =
  | 'check'
  | 'cross'
  | 'warning'
  | 'clock'
  | 'play'
  | 'repeat'
  | 'pause'
  | 'slash'
  | 'question'
  | 'lock'
  | 'half';

export interface Word {
  readonly word: string;
  readonly tone: Tone;
  readonly shape: Shape;
}

export const LEVEL_WORDS: Readonly<Record<Verdict['state'], Word>> = {
  well: { word: 'Well', tone: 'good', shape: 'check' },
  wrong: { word: 'Wrong', tone: 'bad', shape: 'cross' },
  unknown: { word: 'Not known', tone: 'unknown', shape: 'question' },
  attention: { word: 'Look at it', tone: 'warn', shape: 'warning' },
};

export const PART_STATE_WORDS: Readonly<Record<OverviewPart['state'], Word>> = {
  ok: { word: 'Well', tone: 'good', shape: 'check' },
  failing: { word: 'Failing', tone: 'bad', shape: 'cross' },
  away: { word: 'Away', tone: 'unknown', shape: 'question' },
};

export const EVENT_STATE_WORDS: Readonly<Record<EventState, Word>> = {
  waiting: { word: 'Waiting', tone: 'info', shape: 'clock' },
  running: { word: 'Running', tone: 'info', shape: 'play' },
  retrying: { word: 'Retrying', tone: 'warn', shape: 'repeat' },
  delivered: { word: 'Delivered', tone: 'good', shape: 'check' },
  dead: { word: 'Dead', tone: 'bad', shape: 'cross' },
  discarded: { word: 'Discarded', tone: 'quiet', shape: 'slash' },
};

export const LETTER_STATES = ['open', 'redriven', 'resolved', 'discarded'] as const;
export type LetterState = (typeof LETTER_STATES)[number];

export const LETTER_STATE_WORDS: Readonly<Record<LetterState, Word>> = {
  open: { word: 'Open', tone: 'bad', shape: 'cross' },
  redriven: { word: 'Redriven', tone: 'info', shape: 'repeat' },
  resolved: { word: 'Resolved', tone: 'good', shape: 'check' },
  discarded: { word: 'Discarded', tone: 'quiet', shape: 'slash' },
};

type Destination = OverviewValue<'destinations'>['destinations'][number];

export const BREAKER_WORDS: Readonly<Record<Destination['breaker'], Word>> = {
  closed: { word: 'Closed', tone: 'good', shape: 'check' },
  half_open: { word: 'Half-open: being tried', tone: 'warn', shape: 'half' },
  open: { word: 'Open: left alone', tone: 'bad', shape: 'cross' },
};

export const HEALTH_WORDS: Readonly<Record<Destination['health'], Word>> = {
  ok: { word: 'Well', tone: 'good', shape: 'check' },
  slow: { word: 'Slow', tone: 'warn', shape: 'warning' },
  degraded: { word: 'Degraded', tone: 'bad', shape: 'cross' },
};

export type ProofState = 'signed' | 'sealed' | 'unsealed' | 'unknown';

export const PROOF_WORDS: Readonly<Record<ProofState, Word>> = {
  signed: { word: 'Signed', tone: 'good', shape: 'lock' },
  sealed: { word: 'Sealed, not signed yet', tone: 'info', shape: 'half' },
  unsealed: { word: 'Not sealed yet', tone: 'quiet', shape: 'clock' },
  unknown: { word: 'Not known', tone: 'unknown', shape: 'question' },
};

export const JOB_WORDS: Readonly<Record<'running' | 'done' | 'cancelled', Word>> = {
  running: { word: 'Running', tone: 'info', shape: 'play' },
  done: { word: 'Done', tone: 'good', shape: 'check' },
  cancelled: { word: 'Cancelled', tone: 'quiet', shape: 'slash' },
};

type Verified = NonNullable<OverviewValue<'verification'>>;

/** What a verification has come to. */
export function verificationWord({ state, outcome }: Pick<Verified, 'state' | 'outcome'>): Word {
  if (outcome === 'whole') return { word: 'Whole', tone: 'good', shape: 'check' };
  if (outcome === 'broken') return { word: 'Broken', tone: 'bad', shape: 'cross' };
  switch (state) {
    case 'asked':
      return { word: 'Asked for', tone: 'info', shape: 'clock' };
    case 'running':
      return { word: 'Running', tone: 'info', shape: 'play' };
    case 'failed':
      return { word: 'Could not be done', tone: 'warn', shape: 'warning' };
    case 'done':
      return { word: 'Not known', tone: 'unknown', shape: 'question' };
  }
}

/** Events without a delivery are what the books find. */
export function eventWord(state: EventState | null): Word {
  return state === null ? { word: 'Without a delivery', tone: 'bad', shape: 'warning' } : EVENT_STATE_WORDS[state];
}

/** An event that something will still happen to by itself. */
export function isOpen(state: EventState | null): boolean {
  return state === 'waiting' || state === 'running' || state === 'retrying';
}
