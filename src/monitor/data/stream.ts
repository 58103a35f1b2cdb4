import type { StreamMessage } from '../../contract/monitor-api.js';
import type { OverviewPart, OverviewPartName } from '../../contract/overview-api.js';
import { type News, NO_NEWS, withMessage } from '../logic/news.js';
import { IDLE, isStale, type StreamEvent, type StreamState, stepStream } from '../logic/stream-machine.js';
import { useClock } from './clock.js';
import { STREAM_PATH } from './paths.js';
import { lookUpSession } from './sign-in.js';
import { createStore, useStore } from './store.js';

export type PartOf<Name extends OverviewPartName> = Extract<OverviewPart, { readonly name: Name }>;

const newsStore = createStore<News>(NO_NEWS);
const linkStore = createStore<StreamState>(IDLE);
/** Whether the api answered when it was asked why the stream had broken off. */
const answersStore = createStore<boolean>(false);
const CLOCK_MS = 1_000;

/** Follows the stream until what it answers is called. One at a time. */
export function followStream(): () => void {
  let source: EventSource | null = null;
  const step = (event: StreamEvent) => {
    const before = linkStore.get();
    const { state, act } = stepStream(before, event, Date.now(), Math.random());
    linkStore.set(state);
    if (state.phase === 'waiting' && before.phase !== 'waiting') void askWhy();
    // What was asked about the last time says nothing of the next.
    if (event === 'heard') answersStore.set(false);
    if (act !== null) {
      source?.close();
      source = null;
    }
    if (act === 'reopen') source = listen(step);
  };
  const onVisibility = () => step(document.hidden ? 'hidden' : 'shown');
  const clock = window.setInterval(() => step('clock'), CLOCK_MS);
  document.addEventListener('visibilitychange', onVisibility);
  onVisibility();
  step('start');
  return () => {
    window.clearInterval(clock);
    document.removeEventListener('visibilitychange', onVisibility);
    step('stop');
    newsStore.set(NO_NEWS);
  };
}

function listen(step: (event: StreamEvent) => void): EventSource {
  const source = new EventSource(STREAM_PATH);
  const hear = ({ data }: MessageEvent<string>) => {
    const message = read(data);
    if (message === null) return step('failed');
    newsStore.set(withMessage(newsStore.get(), message, Date.now()));
    step('heard');
  };
  source.addEventListener('message', hear);
  source.addEventListener('error', () => step('failed'));
  return source;
}

/** A stream that breaks off does not say why: perhaps the session is over, or it is the stream alone that does not come. */
async function askWhy(): Promise<void> {
  const answers = await lookUpSession();
  // Where it came back meanwhile that is over.
  answersStore.set(answers && linkStore.get().phase !== 'open');
}

function read(data: string): StreamMessage | null {
  try {
    return JSON.parse(data) as StreamMessage;
  } catch {
    // Half a message is as a connection that broke.
    return null;
  }
}

/** null: nothing was told of it yet. */
export function usePart<Name extends OverviewPartName>(name: Name): PartOf<Name> | null {
  // A name and its own part: what makes it a member of the union is not to be told of a name that is a parameter.
  return useStore(newsStore, ({ parts }) => parts.get(name) ?? null) as unknown as PartOf<Name> | null;
}

/** All that were told of. */
export function useParts(): News['parts'] {
  return useStore(newsStore, ({ parts }) => parts);
}

/** Of the api that is there now; null: not told yet. */
export function useApiVersion(): string | null {
  return useStore(newsStore, ({ version }) => version);
}

export interface Link {
  readonly phase: StreamState['phase'];
  readonly stale: boolean;
  /** When the stream said something last, by the browser's clock; null: never. */
  readonly heardAt: number | null;
  /** While it is stale: the api does answer, and its stream alone does not come. */
  readonly answers: boolean;
}

/** How it stands with the news. */
export function useLink(): Link {
  const now = useClock();
  const state = useStore(linkStore, (value) => value);
  const answers = useStore(answersStore, (value) => value);
  return { phase: state.phase, stale: isStale(state, now), heardAt: state.heardAt, answers };
}

/** The server's clock, by the second: ages are told by it, whatever the browser's says. */
export function useServerNow(): number {
  const skewMs = useStore(newsStore, (news) => news.skewMs);
  return useClock() + skewMs;
}
