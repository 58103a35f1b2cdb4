/** Which of `known` is the likeliest to be meant, and how many letters away it is; null where there is none. */
export function nearestName(name: string, known: readonly string[]): { name: string; away: number } | null {
  const ranked = known.map((other) => ({ name: other, away: distance(name, other) }));
  return ranked.sort((a, b) => a.away - b.away)[0] ?? null;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
