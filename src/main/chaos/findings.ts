/** Invariants of the table of faults, and the order of an aggregate (R9). */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I6' | 'R9';
export type FindingKind = 'lost' | 'doubled' | 'phantom' | 'other';

export interface Findings {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly phantoms: readonly string[];
  /** All of the above, and what is none of them. */
  readonly violations: readonly string[];
}

/** Each becomes one sentence: `I1 <id>: expected …, came …`. */
export interface Finder extends Findings {
  say(invariant: Invariant, id: string, what: string, kind?: FindingKind): void;
}

export function createFinder(): Finder {
  const lost: string[] = [];
  const doubled: string[] = [];
  const phantoms: string[] = [];
  const violations: string[] = [];
  const byKind: Readonly<Record<FindingKind, string[] | null>> = { lost, doubled, phantom: phantoms, other: null };
  return {
    lost,
    doubled,
    phantoms,
    violations,
    say(invariant, id, what, kind = 'other') {
      const sentence = `${invariant} ${id}: ${what}`;
      byKind[kind]?.push(sentence);
      violations.push(sentence);
    },
  };
}
