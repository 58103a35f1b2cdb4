import { nearestName } from './nearest-name.js';
import { definitionOf, SETTING_KEYS, type Settings, type SettingsUser, variableOf } from './settings.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every problem at once, one a line, and where to read on; holds no value of a secret. Exit code 78. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];
  readonly hints: readonly string[];

  constructor(problems: readonly string[], options: { cause?: unknown; hints?: readonly string[] } = {}) {
    const { hints = [], cause } = options;
    const listed = problems.map((problem) => `  - ${problem}`);
    super(
      ['The configuration does not fit:', ...listed, ...hints].join('\n'),
      cause === undefined ? undefined : { cause },
    );
    this.problems = problems;
    this.hints = hints;
  }
}

const HINTS = {
  missing:
    'No .env file is read by itself: start with `node --env-file=.env node_modules/.bin/outbox …`, or load it into the shell.',
  settings: 'Every setting with its default: .env.example in the package temporal-outbox.',
};

/**
 * Reads and checks the settings. `users`: who is about to run, for what is required.
 * @throws ConfigurationError naming every missing, malformed and unknown variable
 */
export function loadSettings(environment: Environment, users: readonly SettingsUser[]): Settings {
  const problems: string[] = [];
  let missing = false;
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
      missing ||= by.length > 0;
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
  if (problems.length > 0) {
    const hints = [...(missing ? [HINTS.missing] : []), HINTS.settings];
    throw new ConfigurationError(problems, { hints });
  }
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
      const nearest = nearestName(name, known);
      return `${name}: unknown${nearest !== null && nearest.away <= 3 ? `; did you mean ${nearest.name}?` : ''}`;
    });
}
