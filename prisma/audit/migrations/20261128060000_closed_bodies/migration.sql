-- What could not be stored is kept for as long as it may still be stored, and no longer: a row that is closed (stored,
-- overtaken by other content, discarded) loses its body and keeps the rest. Bodies hold personal data, and neither retention
-- nor an erasure of the record would ever come by them.

-- Rows that were closed before. Nobody but an erasure touches closed rows, so nothing waits for these; the table's lock
-- comes below, once the long part is done.
UPDATE audit.failed_ingest SET body = '' WHERE state <> 'open' AND body <> '';

-- By the database, whoever closes a row: an api of the release before closes rows beside this one, and no role needs the
-- right to change a body.
CREATE FUNCTION audit.empty_closed_body() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.body := '';
  RETURN NEW;
END
$$;
CREATE TRIGGER failed_ingest_closed BEFORE INSERT OR UPDATE ON audit.failed_ingest FOR EACH ROW
  WHEN (NEW.state <> 'open') EXECUTE FUNCTION audit.empty_closed_body();
ALTER TABLE audit.failed_ingest ENABLE ALWAYS TRIGGER failed_ingest_closed;

-- And those that were closed in between, which are few: from here on the table is locked until the commit.
UPDATE audit.failed_ingest SET body = '' WHERE state <> 'open' AND body <> '';
