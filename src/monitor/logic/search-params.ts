/** What a view shows stands in its address: it can be sent to somebody, and the browser's back goes back. */

export type Params<Name extends string> = { readonly [Key in Name]?: string };

/** Those of `names` that the address has; of one that comes twice the first. An empty one is one. */
export function readParams<Name extends string>(search: string, names: readonly Name[]): Params<Name> {
  const given = new URLSearchParams(search);
  const entries = names.flatMap((name) => {
    const value = given.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries) as unknown as Params<Name>;
}

/** '' where there is none, else with the question mark. */
export function writeParams(params: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) given.set(name, String(value));
  const text = given.toString();
  return text === '' ? '' : `?${text}`;
}

/** What a list is filtered by, whichever page of it: two pages of the same list have the same. */
export function filterOf(query: unknown): string {
  const { cursor, before, after, ...filter } = (query ?? {}) as Readonly<Record<string, unknown>>;
  return JSON.stringify(filter);
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Any UUID: producers in SQL make some that are of no version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
