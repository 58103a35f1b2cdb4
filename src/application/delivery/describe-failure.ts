import type { IntegrationError } from '../../domain/delivery/integration-error.js';
import { describeThrown } from './classify-thrown.js';
import type { AttemptFailure } from './ports.js';

const MAX_CAUSES = 8;

/**
 * What is kept of a failed attempt: code, status, message, the stack of what was thrown originally, and up to eight
 * causes, outermost first; a cause that returns to itself ends the chain. NOT redacted yet.
 */
export function describeFailure(error: IntegrationError): AttemptFailure {
  const causes: { name: string; message: string }[] = [];
  const seen = new Set<unknown>([error]);
  let stack = error.cause === undefined ? (error.stack ?? null) : null;
  for (let at = error.cause; at !== undefined && at !== null && causes.length < MAX_CAUSES && !seen.has(at); ) {
    seen.add(at);
    const described = describeThrown(at);
    causes.push({ name: described.name, message: described.message });
    stack ??= described.stack;
    at = described.cause;
  }
  return {
    code: error.code,
    status: error.status,
    message: describeThrown(error).message,
    stack,
    causes,
    response: error.response,
    field: error.field,
  };
}
