/**
 * What PostgreSQL can hold of a text: U+0000 and lone surrogates, both legal in JavaScript and JSON, are refused by text
 * and jsonb. Answers of destinations are hostile text: refused, they would make their own failure unwritable for ever.
 *
 * The bounds are far above what the application keeps (`describeFailure`), so they cut only what came by another way: no
 * row grows with what somebody sends.
 */
const MAX_TEXT_LENGTH = 16_000;
const MAX_JSON_BYTES = 64 * 1024;

/** The first 16,000 UTF-16 units. */
export function toStorableText(text: string): string {
  return text.slice(0, MAX_TEXT_LENGTH).replaceAll('\u0000', '\uFFFD').toWellFormed();
}

/** As JSON text for a jsonb parameter; null stays SQL's NULL, and so becomes what is longer than 64 KiB. Keys are made storable too. */
export function toStorableJson(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const json = JSON.stringify(storable(value));
  return Buffer.byteLength(json) > MAX_JSON_BYTES ? null : json;
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [toStorableText(key), storable(child)]));
}
