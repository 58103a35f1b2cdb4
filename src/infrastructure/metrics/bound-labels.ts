/** Values of one label that have series of their own; what comes after them is counted as `other`. */
export const MOST_LABEL_VALUES = 100;
const OTHER = 'other';
/** Names of ours are shorter; one of somebody else's must not make a scrape long. */
const MOST_LENGTH = 128;

/** Keeps the series of one metric to a number: which values came first stays the same for as long as the process lives. */
export function boundLabels(): (labels: Readonly<Record<string, string>>) => Record<string, string> {
  const seen = new Map<string, Set<string>>();
  return (labels) =>
    Object.fromEntries(
      Object.entries(labels).map(([label, given]) => {
        const value = given.slice(0, MOST_LENGTH);
        const values = seen.get(label) ?? new Set();
        seen.set(label, values);
        if (!values.has(value) && values.size >= MOST_LABEL_VALUES) return [label, OTHER];
        values.add(value);
        return [label, value];
      }),
    );
}
