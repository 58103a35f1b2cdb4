import { definitionOf, SETTING_KEYS, type Settings, type SettingsUser, variableOf } from './settings.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** EX_CONFIG of sysexits.h. */
export const CONFIGURATION_EXIT_CODE = 78;

/** Every problem of the environment at once, one a line; holds no value of a secret. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(`The configuration does not fit:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`, options);
    this.problems = problems;
  }
}

/**
 * Reads and checks the settings. `users`: who is about to run, for what is required.
 * @throws ConfigurationError naming every missing, malformed and unknown variable
 */
export function loadSettings(environment: Environment, users: readonly SettingsUser[]): Settings {
  const problems: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) {
    const { schema, fallback, requiredBy = [], describe, secret } = definitionOf(key);
    const variable = variableOf(key);
    // An empty variable is an unset one: that is how compose files and shells leave things out.
    const given = environment[variable] === '' ? undefined : environment[variable];
    const text = given ?? fallback;
    settings[key] = undefined;
    if (text === undefined) {
      const by = requiredBy.filter((user) => users.includes(user));
      if (by.length > 0) problems.push(`${variable}: missing (${by.join(', ')}). ${describe}`);
      continue;
    }
    const parsed = schema.safeParse(text);
    if (parsed.success) settings[key] = parsed.data;
    else {
      const got = secret ? '' : `, got ${JSON.stringify(text.slice(0, 80))}`;
      problems.push(`${variable}: ${parsed.error.issues[0]?.message ?? 'does not fit'}${got}`);
    }
  }
  problems.push(...unknownVariables(environment));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return settings as Settings;
}

/** For what `users` made sure of: narrows away undefined. */
export function requireSetting<T>(value: T | undefined, variable: string): T {
  if (value === undefined) throw new ConfigurationError([`${variable}: missing`]);
  return value;
}

function unknownVariables(environment: Environment): string[] {
  const known = SETTING_KEYS.map(variableOf);
  return Object.keys(environment)
    .filter((name) => /^(OUTBOX|AUDIT)_/.test(name) && !known.includes(name))
    .sort()
    .map((name) => {
      const nearest = known.map((other) => ({ other, away: distance(name, other) })).sort((a, b) => a.away - b.away)[0];
      const hint = nearest !== undefined && nearest.away <= 3 ? `; did you mean ${nearest.other}?` : '';
      return `${name}: unknown${hint}`;
    });
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
