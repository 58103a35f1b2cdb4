import type { ErrorCode } from './error-catalog.js';

/**
 * What an answer's status means by the catalogue; null for 2xx, which is a success only with the agreed receipt.
 * Total: whatever is no HTTP status is outside the agreement. A 409 or 422 with a meaning of its own is its handler's to
 * read before it asks here.
 * @param headers names in lower case
 */
export function classifyStatus(status: number, headers: Readonly<Record<string, string>>): ErrorCode | null {
  if (!Number.isInteger(status) || status < 200 || status > 599) return 'HTTP.BAD_RESPONSE';
  if (status < 300) return null;
  if (status < 400) return 'HTTP.BAD_RESPONSE';
  switch (status) {
    case 401:
    case 403:
      return 'HTTP.UNAUTHORIZED';
    case 408:
    case 425:
      return 'HTTP.SERVER_ERROR';
    case 429:
      return 'HTTP.RATE_LIMITED';
    case 501:
    case 505:
      return 'HTTP.CLIENT_ERROR';
    case 503:
      return (headers['retry-after'] ?? '') === '' ? 'HTTP.SERVER_ERROR' : 'HTTP.RATE_LIMITED';
    default:
      return status < 500 ? 'HTTP.CLIENT_ERROR' : 'HTTP.SERVER_ERROR';
  }
}
