/** Every string anywhere in a value, bytes decoded: what a person could read in a history or a description. */
export function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof Map) return textOf([...value]);
  if (Array.isArray(value)) return value.map(textOf).join('\n');
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(textOf).join('\n');
  return String(value);
}
