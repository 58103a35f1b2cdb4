/** What is wrong with the redaction of a configuration, one problem an entry. */

export function findUnknown(where: string, given: object, known: readonly string[]): string[] {
  return Object.keys(given)
    .filter((key) => !known.includes(key))
    .map((key) => `${where}.${key}: unknown; known are ${known.join(', ')}`);
}

/** @param where in the configuration: `redaction`, `ingest.redaction.byAction["…"]` */
export function namesProblems(
  where: string,
  { keys = [], patterns = [] }: { keys?: unknown; patterns?: unknown },
): string[] {
  return [
    ...nameListProblems(`${where}.keys`, keys),
    ...(Array.isArray(patterns)
      ? patterns.flatMap((pattern, index) => patternProblems(`${where}.patterns[${index}]`, pattern))
      : [`${where}.patterns: expected an array of RegExp`]),
  ];
}

export function nameListProblems(where: string, names: unknown): string[] {
  if (!Array.isArray(names)) return [`${where}: expected an array of names`];
  return names.flatMap((name, index) =>
    typeof name === 'string' && name.length <= 64 && /[\p{L}\p{N}]/u.test(name)
      ? []
      : [`${where}[${index}]: expected a name of 1 to 64 characters with a letter or digit in it`],
  );
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RegExp);
}

/** The pattern is quoted nowhere: it may hold the very thing that it is to hide. */
function patternProblems(where: string, pattern: unknown): string[] {
  if (!(pattern instanceof RegExp)) return [`${where}: expected a RegExp`];
  if (!pattern.global) return [`${where}: expected the flag g, got "${pattern.flags}"`];
  if (pattern.sticky) return [`${where}: expected no flag y, got "${pattern.flags}"`];
  if (new RegExp(pattern.source, pattern.flags).test(''))
    return [`${where}: expected a pattern that does not match the empty text`];
  return [];
}
