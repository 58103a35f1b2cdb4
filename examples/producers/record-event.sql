-- Any language: one function, in the transaction that writes the business rows. It cannot tell whether it is in one.
BEGIN;
CREATE TEMPORARY TABLE customer_order (id text PRIMARY KEY, total integer NOT NULL);
INSERT INTO customer_order VALUES ('o-1001', 4200);
SELECT outbox.record_event(jsonb_build_object(
  'eventName', 'order.order.placed.v1',
  'eventType', 'ORDER',
  'aggregate', jsonb_build_object('type', 'order', 'id', 'o-1001', 'version', 1),
  'tenantId', 'acme',
  'payload', jsonb_build_object('total', 4200),
  'headers', jsonb_build_object('correlationId', 'checkout-7')
));
COMMIT;
