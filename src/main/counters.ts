/** Counters of one process, by name. Metrics are made from them; the log says them when a role stops. */
export interface Counters {
  count(name: string, by?: number): void;
  read(): Readonly<Record<string, number>>;
}

export function createCounters(): Counters {
  const values = new Map<string, number>();
  return {
    count: (name, by = 1) => void values.set(name, (values.get(name) ?? 0) + by),
    read: () => Object.fromEntries([...values].sort(([a], [b]) => a.localeCompare(b))),
  };
}
