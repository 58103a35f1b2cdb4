-- Settled events leave by batches (docs/retention.md), by indexes that are there: what is new is how soon the room of what left
-- is free again. With the server's own share of a fifth, a table of thirty days would keep six days of dead rows. What
-- leaves lies together, since it came together, so a vacuum of a fiftieth reads little.
ALTER TABLE outbox.event SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE outbox.delivery_attempt SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
