/**
 * Does it `count` times, as many at once as a test's pool has connections: none waits for one, which a slow machine would not
 * bring in time (`connectTimeoutMs` of `createPool`).
 */
export async function tenAtATime<T>(count: number, act: (index: number) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await act(index);
  };
  await Promise.all(Array.from({ length: 10 }, lane));
  return results;
}
