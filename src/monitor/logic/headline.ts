import type { Verdict } from '../../contract/verdict.js';

/** The sentence at the top of the overview. */
export interface Headline {
  readonly level: Verdict['state'];
  readonly sentence: string;
  readonly concerns: Verdict['concerns'];
}

/** What the page knows of its own news. */
export interface News {
  /** Nothing has come yet. */
  readonly none: boolean;
  readonly stale: boolean;
}

/** Of what may no longer be so nothing is said as if it were: then it is not known how things stand. */
export function headlineOf(verdict: Verdict, { none, stale }: News): Headline {
  if (none) {
    const sentence = stale ? 'Not known: the overview does not come' : 'Looking';
    return { level: 'unknown', sentence, concerns: [] };
  }
  if (!stale) return { level: verdict.state, sentence: capital(verdict.sentence), concerns: verdict.concerns };
  return { level: 'unknown', sentence: `Not known now; last: ${verdict.sentence}`, concerns: verdict.concerns };
}

/** A sentence begins with a capital letter. */
export function capital(sentence: string): string {
  const [first = ''] = sentence;
  return first.toUpperCase() + sentence.slice(first.length);
}
