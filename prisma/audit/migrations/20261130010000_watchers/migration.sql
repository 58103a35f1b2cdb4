-- Somebody who sees what the delivery does, and no record of the audit log.
ALTER TABLE audit.operator DROP CONSTRAINT operator_role_check,
  ADD CONSTRAINT operator_role_check CHECK (role IN ('watcher', 'viewer', 'operator'));

-- Whether anything was ever anchored: asked where the newest checkpoint is not.
CREATE INDEX checkpoint_anchored ON audit.checkpoint (branch, size) WHERE anchor IS NOT NULL;
