import { AUDIT_LIMITS } from './audit-dto.js';
import { cutText } from './fit-text.js';

/** As many as fit one metadata value, separated by spaces; how many there are beyond. */
export function listInMetadata(items: readonly string[]): string {
  let text = '';
  for (const [index, item] of items.entries()) {
    const next = text === '' ? item : `${text} ${item}`;
    const left = items.length - index;
    if (next.length > AUDIT_LIMITS.metadataValue - 20)
      return cutText(`${text} (+${left})`.trimStart(), AUDIT_LIMITS.metadataValue);
    text = next;
  }
  return cutText(text, AUDIT_LIMITS.metadataValue);
}
