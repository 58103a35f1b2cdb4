/** Planted secrets, each found again wherever it went: as it stands, in hex, and inside of base64. */
import { randomBytes } from 'node:crypto';

export interface Canaries<Name extends string> {
  readonly values: Readonly<Record<Name, string>>;
  /** Names of those that the text holds, with how; but for `except`, which belong there. */
  found(text: string, except?: readonly Name[]): string[];
}

/** Values of its own for each name: letters and digits alone, so that no escaping hides one. `given` are made elsewhere. */
export function plantCanaries<Made extends string, Given extends string>(
  names: readonly Made[],
  given: Readonly<Record<Given, string>>,
): Canaries<Made | Given> {
  type Name = Made | Given;
  const made = names.map((name) => [name, `canary${name.toLowerCase()}${randomBytes(9).toString('hex')}`]);
  const values = { ...Object.fromEntries(made), ...given } as Record<Name, string>;
  const looks = Object.entries<string>(values).flatMap(([name, value]) => [
    { name: name as Name, how: '', text: value },
    { name: name as Name, how: ' in hex', text: Buffer.from(value).toString('hex') },
    ...[0, 1, 2].map((offset) => ({ name: name as Name, how: ' in base64', text: insideBase64(value, offset) })),
  ]);
  return {
    values,
    found: (text, except = []) => [
      ...new Set(
        looks
          .filter(({ name, text: look }) => !except.includes(name) && text.includes(look))
          .map(({ name, how }) => `${name}${how}`),
      ),
    ],
  };
}

/** What of the base64 of a longer text is the value's alone, where it begins so many bytes behind a multiple of three. */
function insideBase64(value: string, offset: number): string {
  const length = offset + Buffer.byteLength(value);
  const whole = Buffer.from('x'.repeat(offset) + value).toString('base64');
  return whole.slice(Math.ceil((offset * 8) / 6), Math.floor((length * 8) / 6));
}
