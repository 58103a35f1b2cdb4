import { AUDIT_LOOKUP_PATH, auditLookupResponseSchema } from '../../../contract/audit-api.js';
import { AUDIT_LIMITS } from '../../../contract/audit-dto.js';
import { parseJsonBody, toHttpError } from '../handlers/to-http-error.js';
import { cutIdentifier } from '../mappers/cut-identifier.js';
import { toAuditSource } from '../mappers/to-audit-event.js';
import type { HttpClient } from '../ports.js';
import type { StandingLookup } from './ports.js';

const TIMEOUT_MS = 15_000;
/** A thousand answers of 200 bytes. */
const MOST_BYTES = 1024 * 1024;

/** Asks the audit log which identities stand (R23), 1,000 with a call. Throws the IntegrationError of a call that failed. */
export function createStandingLookup(
  http: HttpClient,
  { baseUrl, apiKey }: { readonly baseUrl: string; readonly apiKey: string },
): NonNullable<StandingLookup> {
  const url = baseUrl.replace(/\/+$/, '') + AUDIT_LOOKUP_PATH;
  return async (rows, signal) => {
    const standing: boolean[] = [];
    for (let at = 0; at < rows.length; at += AUDIT_LIMITS.lookupPairs) {
      const identities = rows.slice(at, at + AUDIT_LIMITS.lookupPairs).map(({ eventId, source, tenantId }) => ({
        source: toAuditSource(source),
        eventId,
        ...(tenantId === '' ? {} : { tenantId: cutIdentifier(tenantId, AUDIT_LIMITS.tenantId) }),
      }));
      const response = await http.send({
        method: 'POST',
        url,
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ identities }),
        timeoutMs: TIMEOUT_MS,
        maxResponseBytes: MOST_BYTES,
        signal,
      });
      if (response.status !== 200) throw toHttpError(response);
      const answer = auditLookupResponseSchema.safeParse(parseJsonBody(response));
      if (!answer.success || answer.data.results.length !== identities.length) {
        throw toHttpError(response, 'HTTP.BAD_RESPONSE');
      }
      standing.push(...answer.data.results.map(({ found }) => found));
    }
    return standing;
  };
}
