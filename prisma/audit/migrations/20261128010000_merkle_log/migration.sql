-- The Merkle log (docs/decisions/merkle-log.md): in which order records are sealed, what is sealed, and what was signed.

-- A cluster made anew by a restore of a dump begins its transaction ids anew, and the order of records is theirs. Its
-- identifier tells it; without the right to read that, nothing here could be trusted.
DO $$
BEGIN
  PERFORM pg_control_system();
EXCEPTION WHEN insufficient_privilege THEN
  RAISE EXCEPTION 'the migrating role may not execute pg_catalog.pg_control_system(), by which a restored cluster is told; have it granted: GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO %', quote_ident(current_user)
    USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Nobody writes records while their table changes, so that none below is of a transaction still under way.
LOCK TABLE audit.record IN ACCESS EXCLUSIVE MODE;

-- One row for each cluster that the log has lived on: (epoch, tx_id, seq) is the order of records over all of them.
CREATE TABLE audit.epoch (
  epoch      integer     NOT NULL,
  cluster_id text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT epoch_pkey PRIMARY KEY (epoch),
  CONSTRAINT epoch_number CHECK (epoch >= 1)
);
-- Records with transaction ids that this cluster has not given out came from another one.
INSERT INTO audit.epoch (epoch, cluster_id)
SELECT 1, CASE WHEN EXISTS (SELECT FROM audit.record WHERE tx_id >= pg_snapshot_xmax(pg_current_snapshot()))
  THEN 'not ' ELSE '' END || system_identifier FROM pg_control_system();

-- What the tree is made of. A seal is a run of leaves in the order of (epoch, tx_id, seq), their hashes end to end, and the
-- place of its last record. Its key is the fence: of two sealers that read the same head, one finds its place taken.
CREATE TABLE audit.seal (
  first_index bigint      NOT NULL,
  size        integer     NOT NULL,
  epoch       integer     NOT NULL,
  last_tx     xid8        NOT NULL,
  last_seq    bigint      NOT NULL,
  hashes      bytea       NOT NULL,
  sealed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT seal_pkey PRIMARY KEY (first_index),
  CONSTRAINT seal_first_index CHECK (first_index >= 0),
  CONSTRAINT seal_hashes CHECK (size > 0 AND octet_length(hashes) = 32 * size)
);
-- Hashes do not compress, and out of line a part of them is read without the rest.
ALTER TABLE audit.seal ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE INDEX seal_place ON audit.seal (epoch, last_tx, last_seq);

-- Roots of full subtrees: level 0 over 256 leaves, each level above over 256 of the one below.
CREATE TABLE audit.tile (
  level smallint NOT NULL,
  index bigint   NOT NULL,
  root  bytea    NOT NULL,
  CONSTRAINT tile_pkey PRIMARY KEY (level, index),
  CONSTRAINT tile_place CHECK (level >= 0 AND index >= 0),
  CONSTRAINT tile_root CHECK (octet_length(root) = 32)
);

-- Signed sizes and roots. A row is one that the anchor has taken before; anchor null: none was configured.
CREATE TABLE audit.checkpoint (
  branch     integer     NOT NULL,
  size       bigint      NOT NULL,
  root       bytea       NOT NULL,
  note       text        NOT NULL,
  anchor     text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT checkpoint_pkey PRIMARY KEY (branch, size),
  CONSTRAINT checkpoint_place CHECK (branch >= 1 AND size >= 1),
  CONSTRAINT checkpoint_root CHECK (octet_length(root) = 32)
);

-- Signed notes on what a person, or retention, did to the log. The signature counts, not the row.
CREATE TABLE audit.note (
  id         uuid        NOT NULL,
  kind       text        NOT NULL,
  note       text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT note_pkey PRIMARY KEY (id),
  CONSTRAINT note_kind CHECK (kind IN ('branch', 'dropped', 'erased'))
);
CREATE INDEX note_by_kind ON audit.note (kind, id);

-- Who has a duty at the moment, as outbox.lease: the two may stand in two databases.
CREATE TABLE audit.lease (
  name           text        NOT NULL,
  holder         uuid        NOT NULL,
  until          timestamptz NOT NULL,
  stopped_reason text,
  CONSTRAINT lease_pkey PRIMARY KEY (name)
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['epoch', 'seal', 'tile', 'checkpoint', 'note'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON audit.%I FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', name || '_append_only', name);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', name || '_no_truncate', name);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER %I', name, name || '_append_only');
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER %I', name, name || '_no_truncate');
  END LOOP;
END
$$;

-- The epoch that new records belong to; null on a cluster that no epoch is of yet, so that its rows are refused (23502)
-- until follow_cluster() was called. Every writer runs this, so it runs as its owner and tells a number only.
CREATE FUNCTION audit.current_epoch() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN e.cluster_id = (SELECT c.system_identifier::text FROM pg_control_system() c) THEN e.epoch END
  FROM audit.epoch e ORDER BY e.epoch DESC LIMIT 1
$$;

-- Begins the epoch of this cluster where the newest is another's; returns the newest. No lock: nobody can have written rows
-- here under the old epoch, and of several at once one inserts. A restore that keeps the transaction ids (point in time,
-- failover, pg_upgrade) keeps the order as well and needs none.
CREATE FUNCTION audit.follow_cluster() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO audit.epoch (epoch, cluster_id)
  SELECT e.epoch + 1, c.system_identifier::text
  FROM (SELECT epoch, cluster_id FROM audit.epoch ORDER BY epoch DESC LIMIT 1) e, pg_control_system() c
  WHERE e.cluster_id <> c.system_identifier::text
  ON CONFLICT (epoch) DO NOTHING;
  SELECT max(epoch) FROM audit.epoch
$$;
REVOKE ALL ON FUNCTION audit.follow_cluster() FROM PUBLIC;
SELECT audit.follow_cluster();

-- The leaf's hash beside the record, so that sealing reads no other table; null in records written before it was kept here.
-- Both columns, the default and the check reach the partitions that stand.
ALTER TABLE audit.record
  ADD COLUMN leaf_hash bytea,
  ADD COLUMN erased_at timestamptz,
  ADD CONSTRAINT record_leaf_hash CHECK (octet_length(leaf_hash) = 32),
  ADD CONSTRAINT record_erased CHECK (erased_at IS NULL OR (body = '{}' AND salt = '' AND actor_id IS NULL)),
  ALTER COLUMN log_epoch SET DEFAULT audit.current_epoch();

-- Lets through exactly the update that is an erasure: once, and of nothing but what was erased. The rest stays, the hash
-- above all, so that the proofs stay valid.
CREATE FUNCTION audit.refuse_change_but_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  erased constant text[] := ARRAY['body', 'salt', 'actor_id', 'erased_at'];
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL
    AND to_jsonb(NEW) - erased = to_jsonb(OLD) - erased THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
DROP TRIGGER record_append_only ON audit.record;
CREATE TRIGGER record_append_only BEFORE UPDATE OR DELETE ON audit.record FOR EACH ROW EXECUTE FUNCTION audit.refuse_change_but_erasure();
-- Of each by itself: whether ALWAYS reaches the partitions depends on the server's version.
DO $$
DECLARE
  name regclass;
BEGIN
  FOR name IN SELECT 'audit.record'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit.record'::regclass LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER record_append_only', name);
  END LOOP;
END
$$;
