import { PATIENCE } from './patience.js';

/**
 * Waits for a state instead of sleeping: asks `read` until it answers a value, and returns that. Fails with `what` and
 * the last thing seen when nothing came within `withinMs`, which only bounds a broken test, and so is taken with patience.
 */
export async function eventually<T>(
  what: string,
  read: () => Promise<T | null | undefined | false>,
  withinMs = 20_000,
): Promise<T> {
  const boundMs = withinMs * PATIENCE;
  const until = Date.now() + boundMs;
  let last: unknown;
  while (Date.now() < until) {
    const value = await read().catch((error: unknown) => {
      last = error;
      return null;
    });
    if (value !== null && value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`expected ${what} within ${boundMs} ms`, { cause: last });
}
