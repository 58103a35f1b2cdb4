-- The identities of a month. They are added in the order of time, so that a few bytes for every megabyte of them say where
-- a month lies: nothing that the ingest would notice. Making it reads the table once, and the ingest waits for so long: with
-- tens of millions of identities make it beforehand, with the same words and CONCURRENTLY (docs/running.md).
CREATE INDEX IF NOT EXISTS record_key_by_time ON audit.record_key USING brin (recorded_at) WITH (pages_per_range = 32);
