import { findKnownEvent } from '../../../contract/known-events.js';
import { toAction } from '../../../contract/to-action.js';
import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import type { AuditStatement } from './to-audit-event.js';

/** What the table of known events says of an event that the default mapping would not get right; mostly nothing. */
export function mapKnownEvent({ name, payload }: IntegrationEvent): AuditStatement {
  const known = findKnownEvent(toAction(name).action);
  if (known === undefined) return {};
  const { reason: hasReason = false, ...statement } = known;
  const { reason } = payload;
  return {
    ...statement,
    ...(hasReason && typeof reason === 'string' && reason !== '' ? { outcomeReason: reason } : {}),
  };
}
