import { createHash } from 'node:crypto';
import { cutText } from '../../../contract/fit-text.js';

const HASH_LENGTH = 16;

/**
 * An identifier of at most `max` UTF-16 code units. One that is longer keeps its beginning and gets a hash of the whole,
 * so that two long ones that begin alike (two tenants, say) do not become one.
 */
export function cutIdentifier(text: string, max: number): string {
  const fitted = cutText(text, Number.POSITIVE_INFINITY);
  if (fitted.length <= max) return fitted;
  const hash = createHash('sha256').update(text.toWellFormed(), 'utf8').digest('hex').slice(0, HASH_LENGTH);
  return `${cutText(fitted, max - HASH_LENGTH - 1)}~${hash}`;
}
