import { classifyStatus } from '../../domain/delivery/classify-status.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { Receipt } from '../../domain/delivery/receipt.js';

const MAX_LENGTH = 200;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;

/**
 * A receipt as it may be stored, with nothing on it but its fields. What a handler returns is code that nobody checked.
 * @throws IntegrationError `HTTP.BAD_RESPONSE` naming the first field that does not fit: the effect may stand, the
 * receipt for it is missing
 */
export function checkReceipt(value: unknown): Receipt {
  if (typeof value !== 'object' || value === null) refuse('a receipt', value);
  const { id, hash, status, at, replayed } = value as Record<keyof Receipt, unknown>;
  if (typeof id !== 'string' || id === '' || id.length > MAX_LENGTH) refuse(`id of 1 to ${MAX_LENGTH} characters`, id);
  if (!isStorable(id)) refuse('id that can be stored', id);
  if (hash !== null && (typeof hash !== 'string' || hash.length > MAX_LENGTH || !isStorable(hash))) {
    refuse(`hash of at most ${MAX_LENGTH} characters, or null`, hash);
  }
  if (status !== null && !(Number.isInteger(status) && (status as number) >= 100 && (status as number) <= 599)) {
    refuse('status that is an HTTP status, or null', status);
  }
  // An answer that is no success is no receipt, whatever id stands in it: a handler that forgot to look at the status
  // must not turn a refusal into a delivery. A destination that answers what it has already by 409 and the first receipt
  // is the exception, for a handler that says so.
  const standing = status === 409 && replayed === true;
  const refused = status === null || standing ? null : classifyStatus(status as number, {});
  if (refused !== null) {
    throw new IntegrationError(refused, {
      status: status as number,
      message: `The handler returned a receipt with status ${status}, which is no success`,
    });
  }
  if (typeof at !== 'string' || !TIME.test(at) || Number.isNaN(Date.parse(at)))
    refuse('RFC 3339 time in UTC in at', at);
  if (typeof replayed !== 'boolean') refuse('boolean in replayed', replayed);
  return { id, hash, status: status as number | null, at, replayed };
}

/** PostgreSQL refuses U+0000 and lone surrogates in text and jsonb. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

function refuse(expected: string, got: unknown): never {
  const kind = got === null ? 'null' : typeof got;
  throw new IntegrationError('HTTP.BAD_RESPONSE', { message: `Expected ${expected} from the handler, got ${kind}` });
}
