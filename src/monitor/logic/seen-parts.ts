import type { OverviewValue } from '../../contract/overview-api.js';
import type { Word } from './words.js';

type Processes = OverviewValue<'processes'>;
export type SeenProcess = Processes[number];

/** How a part looks from the processes that need it. */
export interface SeenFrom {
  readonly word: Word;
  readonly reason: string | null;
  /** How many asked, and how many of them found it well. */
  readonly asked: number;
  readonly well: number;
}

/** Of those that tell of themselves now: what the others said last is not how it is. */
export function sumUpSeen(processes: Processes, pick: (process: SeenProcess) => SeenProcess['temporal']): SeenFrom {
  const said = processes
    .filter(({ silent }) => !silent)
    .map(pick)
    .filter((part) => part !== null);
  const failing = said.filter(({ ok }) => !ok);
  const counts = { asked: said.length, well: said.length - failing.length };
  const [first] = failing;
  if (first !== undefined) {
    const reason = first.reason ?? 'It does not answer';
    return { word: { word: 'Away', tone: 'bad', shape: 'cross' }, reason, ...counts };
  }
  if (said.length > 0) return { word: { word: 'Well', tone: 'good', shape: 'check' }, reason: null, ...counts };
  const word: Word = { word: 'Not known', tone: 'unknown', shape: 'question' };
  return { word, reason: 'No process that needs it tells of it', ...counts };
}
