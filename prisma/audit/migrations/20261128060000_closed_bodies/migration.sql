-- What could not be stored is kept for as long as it may still be stored, and no longer: a row that is closed (stored,
-- overtaken by other content, discarded) loses its body and keeps the rest. Bodies hold personal data, and neither retention
-- nor an erasure of the record would ever come by them.
--
-- By the database, whoever closes a row: an api of the release before closes rows beside this one, and no role needs the
-- right to change a body. Every insert of a record touches this table, so that the trigger is a migration of its own: it is
-- locked for a moment. The bodies of rows that were closed before go in the next one.
CREATE FUNCTION audit.empty_closed_body() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.body := '';
  RETURN NEW;
END
$$;
CREATE TRIGGER failed_ingest_closed BEFORE INSERT OR UPDATE ON audit.failed_ingest FOR EACH ROW
  WHEN (NEW.state <> 'open') EXECUTE FUNCTION audit.empty_closed_body();
ALTER TABLE audit.failed_ingest ENABLE ALWAYS TRIGGER failed_ingest_closed;
