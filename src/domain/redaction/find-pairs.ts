/**
 * Values after a sensitive name in text: `password=…`, `"apiKey": "…"`, `Authorization: …`, `<secret>…</secret>`, JSON
 * inside of a JSON string. Goes from one separator to the next: a few steps back for the name, then over the value, which
 * is not looked at again.
 */
import { isMasked, type MaskKind, type Span } from './mask.js';
import { normalizeName } from './sensitive-names.js';

const LONGEST_NAME = 64;
/** Their values have blanks and commas, so they end with the line. */
const HEADERS = /(?:authorization|cookie|setcookie)$/;
const PROSE = /(?:address|street|name|passphrase|cardholder)$/;
const NO_VALUE = /^(?:true|false|null|undefined|none)$/i;

export function findPairs(text: string, isSensitive: IsSensitive): Span[] {
  const spans: Span[] = [];
  const separators = /[:=>]/g;
  for (let found = separators.exec(text); found !== null; found = separators.exec(text)) {
    const at = found.index;
    const name = readName(text, at, isSensitive);
    if (name === null) continue;
    const span = found[0] === '>' ? readElement(text, at + 1) : readValue(text, at, name, isSensitive);
    if (span === null || nothingToHide(text, span)) continue;
    spans.push(span);
    separators.lastIndex = span[1];
  }
  return spans;
}

type IsSensitive = (name: string) => boolean;

interface Name {
  readonly normal: string;
  /** The quote as it stands, with its backslashes: empty, `"`, `\"`, `'`. */
  readonly quote: string;
}

/** The sensitive name that ends right before a separator, one word or two ("api key"). */
function readName(text: string, separator: number, isSensitive: IsSensitive): Name | null {
  const blanksFrom = back(text, separator, 4, isBlank);
  let end = blanksFrom;
  let quote = '';
  const last = text.charAt(end - 1);
  if (last === '"' || last === "'" || last === '`') {
    end = back(text, end - 1, 8, (unit) => unit === 0x5c);
    quote = text.slice(end, blanksFrom);
  }
  const from = back(text, end, LONGEST_NAME, isNameUnit);
  if (from === end) return null;
  const name = text.slice(from, end);
  if (text.charAt(separator) === '>') {
    return /[<:]/.test(text.charAt(from - 1)) && isSensitive(name) ? { normal: normalizeName(name), quote } : null;
  }
  if (isSensitive(name)) return { normal: normalizeName(name), quote };
  if (!isBlank(text.charCodeAt(from - 1))) return null;
  const both = text.slice(back(text, from - 1, LONGEST_NAME, isNameUnit), end);
  return isSensitive(both) ? { normal: normalizeName(both), quote } : null;
}

function readElement(text: string, from: number): Span {
  const end = text.indexOf('<', from);
  return [from, end === -1 ? text.length : end, ''];
}

function readValue(text: string, separator: number, { normal, quote }: Name, isSensitive: IsSensitive): Span | null {
  let from = separator + 1;
  if (/[=>]/.test(text.charAt(from))) from++;
  from = forth(text, from, 8, isBlank);
  if (text.startsWith('//', from)) return null; // a URL's scheme
  const first = text.charAt(forth(text, from, 8, (unit) => unit === 0x5c));
  if (first === '"' || first === "'" || first === '`') return readQuoted(text, from, first);
  const bracket = first === '{' || first === '[';
  const start = bracket ? endOfContainer(text, from) : from;
  if (bracket && quote === '"') return [from, start, 'json'];
  let least = start;
  let end = endOfBare(text, from, start, normal);
  for (
    let next = endOfNext(text, from, end, isSensitive);
    next > end;
    next = endOfNext(text, least, end, isSensitive)
  ) {
    least = next;
    end = endOfBare(text, from, next, normal);
  }
  if (HEADERS.test(normal)) return [from, end, ''];
  const isNumber = quote === '"' && /^-?\d/.test(text.slice(from, end));
  return trimmed(text, from, least, end, isNumber ? 'json' : '');
}

function endOfBare(text: string, from: number, start: number, normal: string): number {
  if (HEADERS.test(normal)) return endOfHeader(text, start);
  if (PROSE.test(normal)) return until(text, start, /[\r\n&;"<>{}|]/);
  const end = endOfWord(text, start);
  const scheme = /^(?:bearer|basic|digest|token|apikey|negotiate)$/i.test(text.slice(from, end));
  return scheme ? endOfWord(text, forth(text, end, 4, isBlank)) : end;
}

/**
 * A value without quotes may be no value but the next name (`password= token="…"`, `password= api key: …`). Both are
 * hidden then, up to the end of the next one's value; `end` where it is not so.
 */
function endOfNext(text: string, from: number, end: number, isSensitive: IsSensitive): number {
  // Not by lastIndexOf, which would look through all of the text before.
  const inside = back(text, end, end - from, (unit) => unit !== 0x3d && unit !== 0x3a) - 1;
  const next = inside >= from ? inside : secondWordSeparator(text, end, isSensitive);
  const name = next === null ? null : readName(text, next, isSensitive);
  return next === null || name === null ? end : (readValue(text, next, name, isSensitive)?.[1] ?? end);
}

/** Of a word after this one which says nothing alone; one that does is found by itself. */
function secondWordSeparator(text: string, end: number, isSensitive: IsSensitive): number | null {
  if (!isBlank(text.charCodeAt(end))) return null;
  const wordEnd = forth(text, end + 1, LONGEST_NAME, isNameUnit);
  const separator = forth(text, wordEnd, 4, isBlank);
  return /[:=]/.test(text.charAt(separator)) && !isSensitive(text.slice(end + 1, wordEnd)) ? separator : null;
}

/** Up to the quote that closes it: one with as few backslashes before it as the one that opened it. */
function readQuoted(text: string, from: number, quote: string): Span {
  const start = text.indexOf(quote, from) + 1;
  const escapes = start - 1 - from;
  for (let end = text.indexOf(quote, start); end !== -1; end = text.indexOf(quote, end + 1)) {
    const slashes = end - back(text, end, end - start, (unit) => unit === 0x5c);
    if (escapes === 0 ? slashes % 2 === 0 : slashes <= escapes) return [start, end - slashes * Math.sign(escapes), ''];
  }
  return [start, quote === '"' ? text.length : until(text, start, /[\r\n]/), ''];
}

/** After the bracket that closes the first one; brackets inside of strings do not count. Unclosed: the end. */
function endOfContainer(text: string, from: number): number {
  let depth = 0;
  let inString = false;
  for (let i = from; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === '\\') i++;
    else if (character === '"') inString = !inString;
    else if (inString) continue;
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    if (depth === 0) return i + 1;
  }
  return text.length;
}

/** The end of the line, or the quote around the whole of it; quoted parameters (`username="ada"`) belong to it. */
function endOfHeader(text: string, from: number): number {
  for (let end = until(text, from, /[\r\n"]/); ; end = until(text, end + 1, /[\r\n"]/)) {
    const isParameter = text.charAt(end) === '"' && /[A-Za-z]{2}=\\*$/.test(text.slice(Math.max(from, end - 10), end));
    if (!isParameter) return end;
    end = until(text, end + 1, /[\r\n"]/);
    if (text.charAt(end) !== '"') return end;
  }
}

function endOfWord(text: string, from: number): number {
  return until(text, from, /[\s&;"'`<>]/);
}

/** Without the punctuation of the sentence or list around it, down to `least`. */
function trimmed(text: string, from: number, least: number, end: number, kind: MaskKind = ''): Span {
  const to = back(text, end, end - least, (unit) => isBlank(unit) || /[,)}\].:!?]/.test(String.fromCharCode(unit)));
  return [from, to, kind];
}

/** Nothing there, masked already, or a word that says that nothing is there. */
function nothingToHide(text: string, [from, to]: Span): boolean {
  if (to <= from) return true;
  if (to - from <= 9 && NO_VALUE.test(text.slice(from, to))) return true;
  if (to - from === 2 && /^(?:\{\}|\[\])$/.test(text.slice(from, to))) return true;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (!isMasked(unit) && !isBlank(unit)) return false;
  }
  return true;
}

/** Units of a name; what is masked belongs to it, so that masking never makes a short name out of a long one. */
function isNameUnit(unit: number): boolean {
  return (
    (unit >= 0x61 && unit <= 0x7a) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x30 && unit <= 0x39) ||
    unit === 0x5f ||
    unit === 0x2d ||
    unit === 0x2e ||
    unit === 0x24 ||
    isMasked(unit)
  );
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

function back(text: string, from: number, most: number, belongs: (unit: number) => boolean): number {
  let at = from;
  while (at > 0 && from - at < most && belongs(text.charCodeAt(at - 1))) at--;
  return at;
}

function forth(text: string, from: number, most: number, belongs: (unit: number) => boolean): number {
  let at = from;
  while (at < text.length && at - from < most && belongs(text.charCodeAt(at))) at++;
  return at;
}

function until(text: string, from: number, stop: RegExp): number {
  let at = from;
  while (at < text.length && !stop.test(text.charAt(at))) at++;
  return at;
}
