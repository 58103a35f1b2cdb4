-- What verification looks up in an order that no key has. Both tables are only added to. Each index is made from one reading
-- of its table, which goes on being read meanwhile: a checkpoint is signed, or a record is taken, when that is done.

-- Checkpoints by size whatever their branch: the next one behind a place, and the newest, without a look at the others.
CREATE INDEX checkpoint_by_size ON audit.checkpoint (size, branch);

-- The identities of a month. They are added in the order of time, so that a few bytes for every megabyte of them say where
-- a month lies: nothing that the ingest would notice.
CREATE INDEX record_key_by_time ON audit.record_key USING brin (recorded_at) WITH (pages_per_range = 32);
