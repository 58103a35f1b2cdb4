/**
 * The one redactor: what may be written, logged, notified or shown of a text or a value that somebody else made. Pure,
 * never throws, bounded: of a text it reads the first 16 Ki units at most, a constant number of times. Redacting what is
 * redacted changes nothing. What it looks for and what it cannot know: docs/decisions/redaction.md.
 */
import { findPairs } from './find-pairs.js';
import { findCards, findEmails, findIbans, findPhones } from './find-personal-data.js';
import { CREDENTIALS_RULE, findSecrets, SECRET_RULES } from './find-secrets.js';
import { collectSensitive, type KnownValues, knownValues } from './known-values.js';
import { closeMask, mask, openMask, REDACTED, type Span } from './mask.js';
import { type RedactedJson, redactJson } from './redact-json.js';
import { sensitiveNames } from './sensitive-names.js';

export interface RedactionRules {
  /** More names whose values are secret, by their ending: `diagnosis` covers `lastDiagnosis`. */
  readonly keys?: readonly string[];
  /** More that is secret in text. Global; applied to at most 16 Ki units at a time, without a bound on their own work. */
  readonly patterns?: readonly RegExp[];
  /** Default true. False leaves personal data readable; secrets never are. */
  readonly personalData?: boolean;
}

export interface Redactor {
  /** At most `maxLength` UTF-16 units, well-formed; what was cut ends in "…". Redacted before it is cut. */
  text(text: string, maxLength: number): string;
  /** A JSON value or a log line's field, by names and by text; its structure stays. */
  value(value: unknown, maxLength: number): unknown;
  /** For the audit log, which records who did what: secrets by name only, every text and personal data as it is. */
  withoutSecrets(value: unknown): RedactedJson;
  isSecretName(name: string): boolean;
  /** Knows besides what this event says is sensitive, and finds it wherever it is quoted. */
  forEvent(event: { readonly payload?: unknown; readonly headers?: unknown }): Redactor;
}

/** A longer text is cut here first, and the last part of what is left is not shown: it may hold half of a secret. */
export const LONGEST_TEXT = 16 * 1024;
/** Longer than every head of a pattern and every e-mail address, card number, IBAN and phone number. */
const CUT_EDGE = 1_024;

export function createRedactor(rules: RedactionRules = {}): Redactor {
  const { keys = [], patterns = [], personalData = true } = rules;
  const names = sensitiveNames(keys, personalData);
  const own = patterns.map(({ source, flags }) => new RegExp(source, flags));
  const finders: readonly ((text: string) => Span[])[] = [
    ...own.map((pattern) => (text: string) => findPattern(text, pattern)),
    ...SECRET_RULES.map((rule) => (text: string) => findSecrets(text, rule)),
    // Before pairs, which would take the first group of `password= 4111 1111 1111 1111` and leave the others.
    ...(personalData ? [findEmails, findIbans, findCards, findPhones] : []),
    (text) => findPairs(text, names.isSensitive),
    (text) => findSecrets(text, CREDENTIALS_RULE),
  ];
  const create = (known: KnownValues | null): Redactor => {
    const all = known === null ? finders : [known.find, ...finders];
    const text = (whole: string, maxLength: number) => redactText(whole, all, maxLength);
    return {
      text,
      value: (value, maxLength) =>
        redactJson(value, { hides: names.isSensitive, text: (whole) => text(whole, maxLength) }).value,
      withoutSecrets: (value) => redactJson(value, { hides: names.isSecret }),
      isSecretName: names.isSecret,
      forEvent: ({ payload, headers }) => create(knownValues(collectSensitive([payload, headers], names.isSensitive))),
    };
  };
  return create(null);
}

function redactText(whole: string, finders: readonly ((text: string) => Span[])[], maxLength: number): string {
  try {
    let text = openMask(whole.slice(0, LONGEST_TEXT));
    // Again while anything is found: what was two words before it was masked is one now (a card number in a URL's user info).
    for (let before = ''; before !== text; ) {
      before = text;
      for (const find of finders) text = mask(text, find(text));
    }
    const isCut = whole.length > LONGEST_TEXT;
    const shown = closeMask(isCut ? text.slice(0, LONGEST_TEXT - CUT_EDGE) : text).toWellFormed();
    if (shown.length <= maxLength && !isCut) return shown;
    return `${shown.slice(0, Math.max(0, maxLength - 1)).toWellFormed()}…`.slice(0, maxLength);
  } catch {
    // A pattern of the user's that exhausts the stack, say: nothing is shown rather than everything.
    return REDACTED.slice(0, maxLength);
  }
}

function findPattern(text: string, pattern: RegExp): Span[] {
  return [...text.matchAll(pattern)]
    .filter(([found]) => found !== '')
    .map((found) => [found.index, found.index + found[0].length, '']);
}
