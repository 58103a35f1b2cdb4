import type { ImportMapping } from '../mapping.js';
import { CLOUDTRAIL } from './cloudtrail.js';
import { DEFAULT } from './default.js';
import { O365_MESSAGE_TRACE } from './o365-message-trace.js';
import { OKTA } from './okta.js';

export const IMPORT_MAPPINGS: readonly ImportMapping[] = [CLOUDTRAIL, OKTA, O365_MESSAGE_TRACE, DEFAULT];

export function findMapping(name: string): ImportMapping | undefined {
  return IMPORT_MAPPINGS.find((mapping) => mapping.name === name);
}
