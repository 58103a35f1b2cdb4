/**
 * The pages of the monitor that others link to: runs in Temporal, notices. The page must go on knowing these addresses,
 * for links to them stand in what was sent and started long ago. `monitorUrl`: with or without a slash at its end.
 */
import { urlBelow, urlPart } from './url-below.js';

/** One event. */
export function monitorEventUrl(monitorUrl: string, eventId: string): string {
  return urlBelow(monitorUrl, ['events', eventId]);
}

/** The open dead letters of one kind. */
export function monitorLettersUrl(
  monitorUrl: string,
  { eventType, code }: { readonly eventType: string; readonly code: string },
): string {
  return `${urlBelow(monitorUrl, ['dead-letters'])}?type=${urlPart(eventType)}&code=${urlPart(code)}`;
}
