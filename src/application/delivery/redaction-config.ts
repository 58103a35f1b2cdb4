import type { RedactionRules } from '../../domain/delivery/redaction/redactor.js';

const KEYS = ['keys', 'patterns', 'personalData'] as const satisfies readonly (keyof RedactionRules)[];

/** What is wrong with the `redaction` of a configuration, one problem an entry. */
export function redactionProblems(redaction: unknown): string[] {
  if (redaction === undefined) return [];
  if (typeof redaction !== 'object' || redaction === null || Array.isArray(redaction)) {
    return ['redaction: expected an object { keys?, patterns?, personalData? }'];
  }
  const unknown = Object.keys(redaction)
    .filter((key) => !(KEYS as readonly string[]).includes(key))
    .map((key) => `redaction.${key}: unknown; known are ${KEYS.join(', ')}`);
  const { keys = [], patterns = [], personalData = true } = redaction as Record<keyof RedactionRules, unknown>;
  return [
    ...unknown,
    ...(Array.isArray(keys) ? keys.flatMap(keyProblems) : ['redaction.keys: expected an array of names']),
    ...(Array.isArray(patterns)
      ? patterns.flatMap(patternProblems)
      : ['redaction.patterns: expected an array of RegExp']),
    ...(typeof personalData === 'boolean' ? [] : ['redaction.personalData: expected true or false']),
  ];
}

function keyProblems(key: unknown, index: number): string[] {
  if (typeof key === 'string' && key.length <= 64 && /[\p{L}\p{N}]/u.test(key)) return [];
  return [`redaction.keys[${index}]: expected a name of 1 to 64 characters with a letter or digit in it`];
}

/** The pattern is quoted nowhere: it may hold the very thing that it is to hide. */
function patternProblems(pattern: unknown, index: number): string[] {
  const where = `redaction.patterns[${index}]`;
  if (!(pattern instanceof RegExp)) return [`${where}: expected a RegExp`];
  if (!pattern.global) return [`${where}: expected the flag g, got "${pattern.flags}"`];
  if (pattern.sticky) return [`${where}: expected no flag y, got "${pattern.flags}"`];
  if (new RegExp(pattern.source, pattern.flags).test(''))
    return [`${where}: expected a pattern that does not match the empty text`];
  return [];
}
