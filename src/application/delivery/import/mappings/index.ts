import type { JsonObject } from '../../../../domain/delivery/json.js';
import { holds, type ImportMapping } from '../mapping.js';
import { CLOUDTRAIL } from './cloudtrail.js';
import { DEFAULT } from './default.js';
import { GITHUB } from './github.js';
import { KUBERNETES_AUDIT } from './kubernetes-audit.js';
import { MICROSOFT_365 } from './microsoft-365.js';
import { O365_MESSAGE_TRACE } from './o365-message-trace.js';
import { OKTA } from './okta.js';
import { WINDOWS_SECURITY } from './windows-security.js';

export const IMPORT_MAPPINGS: readonly ImportMapping[] = [
  CLOUDTRAIL,
  OKTA,
  GITHUB,
  MICROSOFT_365,
  O365_MESSAGE_TRACE,
  WINDOWS_SECURITY,
  KUBERNETES_AUDIT,
  DEFAULT,
];

export function findMapping(name: string): ImportMapping | undefined {
  return IMPORT_MAPPINGS.find((mapping) => mapping.name === name);
}

/** Why a line was left to the default mapping. */
export type Unrecognized = 'none' | 'several';

export interface Recognized {
  readonly mapping: ImportMapping;
  readonly unrecognized?: Unrecognized;
}

/** The one mapping that knows the line for its own; the default one where none does, or more than one: never a guess. */
export function recognize(event: JsonObject, mappings: readonly ImportMapping[] = IMPORT_MAPPINGS): Recognized {
  const found = mappings.filter(
    ({ recognizes = [] }) => recognizes.length > 0 && recognizes.every((rule) => holds(rule, event)),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return { mapping: only };
  return { mapping: DEFAULT, unrecognized: found.length === 0 ? 'none' : 'several' };
}
