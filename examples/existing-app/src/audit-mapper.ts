import type { AuditMapper } from 'temporal-outbox';

/** Says only what the default mapping cannot know: who placed the order, and which fields the auditors look for. */
export const orderPlacedMapper: AuditMapper = ({ aggregate, payload }) => ({
  actor: { type: 'user', id: String(payload.customer) },
  targets: [{ type: 'order', id: aggregate.id, name: `${payload.quantity} x ${payload.sku}` }],
});
