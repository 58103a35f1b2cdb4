/** A role that ends by itself again and again would be started for ever, and a run without it shows nothing. */
const ENDS = 5;
const WITHIN_MS = 60_000;

/** Told of each such end; null until five of one role came within a minute, then the reason to break off. */
export function countCrashes(now = () => performance.now()): (name: string, what: string) => Error | null {
  const ends = new Map<string, number[]>();
  return (name, what) => {
    const last = [...(ends.get(name) ?? []), now()].slice(-ENDS);
    ends.set(name, last);
    if (last.length < ENDS || now() - (last[0] as number) >= WITHIN_MS) return null;
    return new Error(`${name} ended by itself ${ENDS} times in a minute: ${what}`);
  };
}
