-- What verification looks up in an order that no key has: checkpoints by size whatever their branch, the next one behind a
-- place and the newest, without a look at the others. No checkpoint is signed while the index is made.
CREATE INDEX checkpoint_by_size ON audit.checkpoint (size, branch);
