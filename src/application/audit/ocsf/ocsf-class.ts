import type { AuditCategory } from '../../../contract/audit-dto.js';

export type OcsfClass = 'authentication' | 'api' | 'base';

/** A new category does not compile until somebody has said what it is to OCSF. */
const CLASS_OF = {
  authentication: 'authentication',
  authorization: 'api',
  iam: 'api',
  data: 'api',
  configuration: 'api',
  billing: 'api',
  integration: 'api',
  system: 'base',
  other: 'base',
} as const satisfies Record<AuditCategory, OcsfClass>;

export function ocsfClassOf(category: AuditCategory): OcsfClass {
  return CLASS_OF[category];
}
