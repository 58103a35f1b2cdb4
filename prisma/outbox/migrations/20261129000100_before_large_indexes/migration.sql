-- The next one makes three indexes, which read their tables once, and whoever appends or settles waits for so long: of a large
-- table not by surprise. A file of its own, since that one has been applied by some.
DO $$
DECLARE
  large_bytes constant bigint := coalesce(nullif(current_setting('outbox.large_bytes', true), '')::bigint, 2147483648);
  missing text;
BEGIN
  SELECT string_agg(format('%s on %s (%s)', i.name, i.relation, pg_size_pretty(pg_relation_size(i.relation))), ', ') INTO missing
  FROM (VALUES ('delivery_settled', 'outbox.delivery'::regclass), ('event_by_aggregate', 'outbox.event'),
    ('dead_letter_kinds', 'outbox.dead_letter')) AS i(name, relation)
  WHERE to_regclass('outbox.' || i.name) IS NULL AND pg_relation_size(i.relation) > large_bytes;
  IF missing IS NOT NULL AND coalesce(current_setting('outbox.wait', true), '') <> 'on' THEN
    RAISE EXCEPTION 'whoever appends or settles would wait for %: make it beforehand, CONCURRENTLY (docs/running.md), or say that they may wait: outbox migrate deploy --wait', missing;
  END IF;
END
$$;
