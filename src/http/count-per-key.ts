/** How many of something each API key has at the moment; a key that has none takes no memory. */
export interface PerKey {
  of(keyId: string): number;
  /** One more, until what it returns is called, once. */
  take(keyId: string): () => void;
}

export function countPerKey(): PerKey {
  const taken = new Map<string, number>();
  const of = (keyId: string) => taken.get(keyId) ?? 0;
  return {
    of,
    take(keyId) {
      taken.set(keyId, of(keyId) + 1);
      return () => {
        const left = of(keyId) - 1;
        if (left === 0) taken.delete(keyId);
        else taken.set(keyId, left);
      };
    },
  };
}
