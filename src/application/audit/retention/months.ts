/** `record_2026_11` → 2026 * 12 + 10: months that can be counted with. */
export function monthNumber(partition: string): number {
  const [, year, month] = /^record_(\d{4})_(\d\d)$/.exec(partition) ?? [];
  return Number(year) * 12 + Number(month) - 1;
}

export function monthOf(now: Date): number {
  return now.getUTCFullYear() * 12 + now.getUTCMonth();
}

/** Partitions whose month is over for `months`, and for one at the least; the oldest first. */
export function dueMonths(partitions: readonly string[], now: Date, months: number): string[] {
  const newest = monthOf(now) - Math.max(1, months) - 1;
  return partitions.filter((name) => monthNumber(name) <= newest).sort();
}

/** How many months from now on have their partition, this one not counted. The api makes three ahead. */
export function monthsAhead(partitions: readonly string[], now: Date): number {
  const known = new Set(partitions.map(monthNumber));
  let ahead = 0;
  while (known.has(monthOf(now) + ahead + 1)) ahead += 1;
  return ahead;
}
