-- Retention drops whole months of records, sealed and anchored, and leaves a signed note of what it dropped. Identities and
-- seals stay: replays are answered, and every proof holds.

-- Drops a partition (`record_YYYY_MM`) under a note that the caller has signed and the anchor has taken. Looks for itself at
-- what must hold whoever calls: the month is over for more than one, and no record of it lies behind what is sealed and
-- anchored. The parent is locked first and for a moment, as the drop needs it anyway; whoever cannot have it within the time
-- limit tries again later, and no writer has waited longer.
CREATE FUNCTION audit.drop_partition(partition_name text, note text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  place record;
  unproven bigint;
  dropped bigint;
BEGIN
  IF partition_name !~ '^record_\d{4}_\d\d$' OR note NOT LIKE E'%\nkind dropped\n%' OR note NOT LIKE E'%\npartition ' || partition_name || E'\n%' THEN
    RAISE EXCEPTION 'expected a partition named record_YYYY_MM and a note that it is dropped' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF to_date(substr(partition_name, 8), 'YYYY_MM') > date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') - interval '2 months' THEN
    RAISE EXCEPTION '% is not over for more than a month', partition_name USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  LOCK TABLE audit.record IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit.record'::regclass AND NOT i.inhdetachpending AND c.relname = partition_name) THEN
    RAISE EXCEPTION '% is no partition of audit.record', partition_name USING ERRCODE = 'undefined_table';
  END IF;
  SELECT s.epoch, s.last_tx, s.last_seq INTO place FROM audit.seal s
  WHERE s.first_index + s.size <= (SELECT max(c.size) FROM audit.checkpoint c
    WHERE c.anchor IS NOT NULL AND c.branch = (SELECT max(branch) FROM audit.checkpoint))
  ORDER BY s.first_index DESC LIMIT 1;
  EXECUTE format('SELECT count(*) FROM (SELECT FROM audit.%I WHERE (log_epoch, tx_id, seq) > ($1, $2, $3) LIMIT 1) r', partition_name)
    INTO unproven USING coalesce(place.epoch, -1), coalesce(place.last_tx, '0'), coalesce(place.last_seq, 0);
  IF unproven > 0 THEN
    RAISE EXCEPTION '% holds records that are not sealed and anchored', partition_name USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  INSERT INTO audit.note (id, kind, note) VALUES (gen_random_uuid(), 'dropped', note);
  EXECUTE format('DROP TABLE audit.%I', partition_name);
  SELECT substring(note FROM E'\nrows (\\d+)\n')::bigint INTO dropped;
  RETURN dropped;
END
$$;
REVOKE ALL ON FUNCTION audit.drop_partition(text, text) FROM PUBLIC;
