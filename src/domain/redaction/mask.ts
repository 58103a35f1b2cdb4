/**
 * How text is redacted: in place and unit by unit, so that every position stays the position that it was in the source.
 * A masked unit is one of 32 noncharacters (U+FDD0 to U+FDEF), which no text may hold; the last step writes each run of
 * them as its marker. What is masked is never looked at again, which makes redacting twice the same as redacting once.
 */

const KINDS = ['', 'email', 'card number', 'iban', 'phone', 'token', 'credentials', 'private key'] as const;
export type MaskKind = (typeof KINDS)[number] | 'json';

const FIRST = 0xfdd0;
const LAST = 0xfdef;
/** Stands for a whole JSON value, so its marker is a JSON string. */
const JSON_MASK = LAST;

/** For character classes of patterns: what is masked counts as part of a word, so that masking ends no word. */
export const MASKED = '\\ufdd0-\\ufdef';

/** From, to (exclusive), kind. In a list: ascending, not overlapping. */
export type Span = readonly [from: number, to: number, kind: MaskKind];

export function isMasked(unit: number): boolean {
  return unit >= FIRST && unit <= LAST;
}

/** Of the same length as `text`; markers that stand in it are masked already. */
export function openMask(text: string): string {
  const clean = text.toWellFormed().replace(/[\ufdd0-\ufdef]/g, '\ufffd');
  return clean.replace(MARKERS, (marker) => maskUnit(kindOf(marker)).repeat(marker.length));
}

export function mask(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  const parts: string[] = [];
  let at = 0;
  for (const [from, to, kind] of spans) {
    parts.push(text.slice(at, from), maskUnit(kind).repeat(to - from));
    at = to;
  }
  parts.push(text.slice(at));
  return parts.join('');
}

export function closeMask(text: string): string {
  return text.replace(/([\ufdd0-\ufdef])\1*/g, (_, unit: string) => markerOf(unit.charCodeAt(0)));
}

/** What a value under a sensitive name becomes. */
export const REDACTED = '[redacted]';

const MARKERS = new RegExp(
  KINDS.map((kind) => (kind === '' ? '\\[redacted\\]' : `\\[redacted ${kind}\\]`)).join('|'),
  'g',
);

function kindOf(marker: string): MaskKind {
  return KINDS.find((kind) => marker === (kind === '' ? REDACTED : `[redacted ${kind}]`)) ?? '';
}

function maskUnit(kind: MaskKind): string {
  return String.fromCharCode(kind === 'json' ? JSON_MASK : FIRST + KINDS.indexOf(kind));
}

function markerOf(unit: number): string {
  if (unit === JSON_MASK) return `"${REDACTED}"`;
  const kind = KINDS[unit - FIRST] ?? '';
  return kind === '' ? REDACTED : `[redacted ${kind}]`;
}
