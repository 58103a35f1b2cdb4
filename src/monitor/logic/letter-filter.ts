import type { Params } from './search-params.js';

/**
 * The filter of dead letters in the view's address. `type` and `code` stand in links of notices that were sent long
 * ago: they keep these names.
 */
export const LETTER_FILTER = ['type', 'code', 'destination', 'tenantId', 'since', 'until', 'text', 'outageId'] as const;
export type LetterFilterName = (typeof LETTER_FILTER)[number];

/** As the api names it, of a list and of a redrive job alike. Nothing is in it that was not asked for. */
export function toLetterFilter(params: Params<LetterFilterName>): Readonly<Record<string, string>> {
  const { type: eventType, code, destination, tenantId, since, until, text, outageId } = params;
  const named = { eventType, code, destination, tenantId, since, until, text, outageId };
  return Object.fromEntries(Object.entries(named).filter((entry) => entry[1] !== undefined)) as Readonly<
    Record<string, string>
  >;
}

/** A job's filter as the address has it, to show what it has left. */
export function fromJobFilter(filter: Readonly<Record<string, string | null>>): Params<LetterFilterName> {
  const { eventType = null, ...others } = filter;
  const named = { type: eventType, ...others };
  return Object.fromEntries(
    Object.entries(named).filter(([name, value]) => value !== null && isName(name)),
  ) as unknown as Params<LetterFilterName>;
}

function isName(name: string): boolean {
  return (LETTER_FILTER as readonly string[]).includes(name);
}
