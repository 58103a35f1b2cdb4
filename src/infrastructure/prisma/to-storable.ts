/**
 * What PostgreSQL can hold of a text: U+0000 and lone surrogates, both legal in JavaScript and JSON, are refused by text
 * and jsonb. Answers of destinations are hostile text: refused, they would make their own failure unwritable for ever.
 */
export function toStorableText(text: string): string {
  return text.replaceAll('\u0000', '\uFFFD').toWellFormed();
}

/** As JSON text for a jsonb parameter; null stays SQL's NULL. Keys are made storable too. */
export function toStorableJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(storable(value));
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [toStorableText(key), storable(child)]));
}
