/**
 * - `edited`: a record, its identity or its sealed hash is not what the others say.
 * - `deleted`: a sealed hash whose record is gone, without a signed note that says so.
 * - `inserted`: a record among the sealed ones that was never sealed.
 * - `moved`: a record that stands at another place than it was sealed at.
 * - `erased`: a record that was erased without a signed note. `not_erased`: a signed note whose record is not erased.
 * - `identity`: an identity without a record, or a month's identities that are not those of its dropped records.
 * - `seal`, `tile`, `checkpoint`, `note`, `epoch`: a row of that table does not fit.
 * - `root`: the tree is not the one that was signed. `truncated`: leaves that were signed are gone.
 */
export const BREAK_KINDS = [
  'edited',
  'deleted',
  'inserted',
  'moved',
  'erased',
  'not_erased',
  'identity',
  'seal',
  'tile',
  'checkpoint',
  'note',
  'epoch',
  'root',
  'truncated',
] as const;
export type BreakKind = (typeof BREAK_KINDS)[number];

export interface Break {
  readonly kind: BreakKind;
  /** The leaf, or the first of those meant; null: it has none. */
  readonly index: number | null;
  /** null: not a record's, or nobody can say which. */
  readonly recordId: string | null;
  /** What was expected and what was found. Holds nothing of a record's content. */
  readonly what: string;
}

/** So many are named; the rest is counted. */
export const MOST_NAMED = 20;

export interface VerifyReport {
  /** Leaves in the log when verification began. */
  readonly size: number;
  /** The leaves that were looked at: from, and up to but without. */
  readonly from: number;
  readonly to: number;
  readonly records: number;
  readonly erased: number;
  /** Leaves whose records were dropped by a signed note. */
  readonly dropped: number;
  /** Records behind the head, not sealed yet. */
  readonly pending: number;
  /** The greatest size that is signed and agrees, of the database and of the anchor; 0: none. */
  readonly signedSize: number;
  /** null: no anchor was given. */
  readonly anchoredSize: number | null;
  /** Losses that a person has accepted by a signed note. */
  readonly acceptedLosses: readonly string[];
  readonly counts: Readonly<Partial<Record<BreakKind, number>>>;
  /** The first by index. */
  readonly first: Break | null;
  /** At most MOST_NAMED, by index. */
  readonly breaks: readonly Break[];
}

/** What is found on the way. */
export interface Findings {
  add(found: Break): void;
  /** More of a kind that are not worth a name each. */
  count(kind: BreakKind, more: number): void;
  counts(): Partial<Record<BreakKind, number>>;
  /** Those with an index before those without. */
  named(): Break[];
}

export function collectFindings(): Findings {
  const counts: Partial<Record<BreakKind, number>> = {};
  let named: Break[] = [];
  const count = (kind: BreakKind, more: number) => {
    if (more > 0) counts[kind] = (counts[kind] ?? 0) + more;
  };
  return {
    add(found) {
      count(found.kind, 1);
      // Not simply the first ones found: what stands first in the log is what a person looks at first.
      named = [...named, found].sort((a, b) => at(a) - at(b)).slice(0, MOST_NAMED);
    },
    count,
    counts: () => ({ ...counts }),
    named: () => named,
  };
}

const at = ({ index }: Break): number => index ?? Number.MAX_VALUE;
