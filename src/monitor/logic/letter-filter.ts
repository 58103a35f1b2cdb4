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

/**
 * Where to look for letters that a job's redrives have died into again. They are new letters: their code may be another one,
 * they are of another outage or none, and later than its times. What an event keeps is its type, routing key and tenant.
 */
export function diedSince(
  filter: Readonly<Record<string, string | null>>,
  since: string,
): Params<'type' | 'destination' | 'tenantId' | 'since'> {
  const { eventType, destination, tenantId } = filter;
  return { ...given('type', eventType), ...given('destination', destination), ...given('tenantId', tenantId), since };
}

function given(name: string, value: string | null | undefined): Readonly<Record<string, string>> {
  return value === null || value === undefined ? {} : { [name]: value };
}
