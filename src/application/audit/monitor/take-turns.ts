/** Does the work once there is a place for it. `first`: it waits in a line of its own, which goes before the other. */
export type InTurn = <T>(work: () => Promise<T>, first?: boolean) => Promise<T>;

/** At most `atOnce` at work and `waiting` in each of two lines; whoever comes beyond that is refused at once with `refuse`'s error. */
export function createTurns(
  { atOnce, waiting }: { readonly atOnce: number; readonly waiting: number },
  refuse: () => Error,
): InTurn {
  let running = 0;
  const lines = { first: [] as (() => void)[], others: [] as (() => void)[] };
  return async (work, first = false) => {
    const line = first ? lines.first : lines.others;
    if (running < atOnce) running++;
    else if (line.length < waiting) await new Promise<void>((resolve) => line.push(resolve));
    else throw refuse();
    try {
      return await work();
    } finally {
      // Handed on to whoever waits, it stays taken.
      const next = lines.first.shift() ?? lines.others.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
