import { isDeepStrictEqual } from 'node:util';

/** What at most three tries give, the last one as expected or not: a machine that stands still spoils one of them, a defect all. */
export async function triesUntil(expected: unknown, tryOnce: () => Promise<unknown>): Promise<unknown[]> {
  const seen: unknown[] = [];
  while (seen.length < 3 && !isDeepStrictEqual(seen.at(-1), expected)) seen.push(await tryOnce());
  return seen;
}
