-- Everything lives in the PostgreSQL schema "audit". No statement here creates a role or touches another schema.

CREATE SEQUENCE audit.record_seq AS bigint;

-- R25: the identity of a record, unpartitioned, so that it is unique over all time. The leaf's hash stands here too: replays
-- and lookups answer it without reading the record, also after the record's partition was retired.
CREATE TABLE audit.record_key (
  tenant_id    text        NOT NULL,
  source       text        NOT NULL,
  event_id     text        NOT NULL,
  record_id    uuid        NOT NULL,
  recorded_at  timestamptz NOT NULL,
  hmac_key_id  text        NOT NULL,
  fingerprint  bytea       NOT NULL,
  leaf_hash    bytea       NOT NULL,
  CONSTRAINT record_key_pkey PRIMARY KEY (tenant_id, source, event_id),
  CONSTRAINT record_key_fingerprint CHECK (octet_length(fingerprint) = 32),
  CONSTRAINT record_key_leaf_hash CHECK (octet_length(leaf_hash) = 32)
);

-- The record itself, partitioned by the server's time. (log_epoch, tx_id, seq) is the order in which records are sealed.
CREATE TABLE audit.record (
  record_id      uuid        NOT NULL,
  recorded_at    timestamptz NOT NULL,
  log_epoch      integer     NOT NULL DEFAULT 1,
  tx_id          xid8        NOT NULL DEFAULT pg_current_xact_id(),
  seq            bigint      NOT NULL DEFAULT nextval('audit.record_seq'),
  tenant_id      text        NOT NULL,
  source         text        NOT NULL,
  event_id       text        NOT NULL,
  action         text        NOT NULL,
  action_version integer     NOT NULL,
  category       text        NOT NULL,
  operation      text        NOT NULL,
  outcome        text        NOT NULL,
  severity       text        NOT NULL,
  occurred_at    timestamptz NOT NULL,
  actor_type     text        NOT NULL,
  actor_id       text,
  via            text        NOT NULL,
  key_id         uuid        NOT NULL,
  leaf_version   smallint    NOT NULL,
  salt           bytea       NOT NULL,
  body           jsonb       NOT NULL,
  CONSTRAINT record_pkey PRIMARY KEY (record_id, recorded_at),
  CONSTRAINT record_via CHECK (via IN ('outbox', 'api', 'import'))
) PARTITION BY RANGE (recorded_at);
CREATE INDEX record_seal_order ON audit.record (log_epoch, tx_id, seq);
CREATE INDEX record_by_time ON audit.record (tenant_id, recorded_at, record_id);

-- Keys of callers, found by their public prefix. Of the key itself only a hash is kept: SHA-256 of the whole key (a key has
-- 256 random bits, so no slow hash is needed).
CREATE TABLE audit.api_key (
  id           uuid        NOT NULL,
  name         text        NOT NULL,
  prefix       text        NOT NULL,
  key_hash     bytea       NOT NULL,
  scopes       text[]      NOT NULL,
  tenant_id    text,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  CONSTRAINT api_key_pkey PRIMARY KEY (id),
  CONSTRAINT api_key_prefix UNIQUE (prefix),
  CONSTRAINT api_key_hash CHECK (octet_length(key_hash) = 32)
);

-- What each fingerprint key's secret makes of a fixed text, kept from its first use on: another secret under the same id
-- would make every resend look like other content.
CREATE TABLE audit.fingerprint_key (
  id         text        NOT NULL,
  check_hmac bytea       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT fingerprint_key_pkey PRIMARY KEY (id),
  CONSTRAINT fingerprint_key_check CHECK (octet_length(check_hmac) = 32)
);

-- R28: what the ingest could not store for a reason of its own, for callers that are not our outbox. The body is text: that
-- jsonb refuses it may be why it is here. A row is never deleted by us; it is closed, by the transaction that stores the
-- record or by a person. One open row for one content: another content under the same identity is a row beside it.
CREATE TABLE audit.failed_ingest (
  id           uuid        NOT NULL,
  tenant_id    text        NOT NULL,
  source       text        NOT NULL,
  event_id     text        NOT NULL,
  body         text        NOT NULL,
  hmac_key_id  text        NOT NULL,
  fingerprint  bytea       NOT NULL,
  code         text        NOT NULL,
  message      text        NOT NULL,
  key_id       uuid        NOT NULL,
  tries        integer     NOT NULL DEFAULT 1,
  first_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  state        text        NOT NULL DEFAULT 'open',
  state_at     timestamptz,
  actor        text,
  reason       text,
  CONSTRAINT failed_ingest_pkey PRIMARY KEY (id),
  CONSTRAINT failed_ingest_body CHECK (octet_length(body) <= 262144),
  CONSTRAINT failed_ingest_fingerprint CHECK (octet_length(fingerprint) = 32),
  CONSTRAINT failed_ingest_message CHECK (length(code) <= 100 AND length(message) <= 1000),
  CONSTRAINT failed_ingest_state CHECK (state IN ('open', 'stored', 'other_content', 'discarded')),
  CONSTRAINT failed_ingest_state_at CHECK ((state = 'open') = (state_at IS NULL)),
  CONSTRAINT failed_ingest_discarded CHECK (state <> 'discarded' OR (actor IS NOT NULL AND reason IS NOT NULL)),
  CONSTRAINT failed_ingest_person CHECK (length(actor) <= 200 AND length(reason) <= 1000)
);
CREATE UNIQUE INDEX failed_ingest_open ON audit.failed_ingest (tenant_id, source, event_id, fingerprint) WHERE state = 'open';
CREATE INDEX failed_ingest_list ON audit.failed_ingest (state, id);
CREATE INDEX failed_ingest_list_tenant ON audit.failed_ingest (tenant_id, state, id);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER record_append_only BEFORE UPDATE OR DELETE ON audit.record FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER record_no_truncate BEFORE TRUNCATE ON audit.record FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER record_key_append_only BEFORE UPDATE OR DELETE ON audit.record_key FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER record_key_no_truncate BEFORE TRUNCATE ON audit.record_key FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.record ENABLE ALWAYS TRIGGER record_append_only;
ALTER TABLE audit.record ENABLE ALWAYS TRIGGER record_no_truncate;
ALTER TABLE audit.record_key ENABLE ALWAYS TRIGGER record_key_append_only;
ALTER TABLE audit.record_key ENABLE ALWAYS TRIGGER record_key_no_truncate;

-- Makes the monthly partitions from this month to `ahead` months on, and returns how many it made. There is no default
-- partition on purpose (a row in it would block later partitions), so this runs at migrate, at the api's start, daily, and
-- when an insert finds none. A partition is made apart and attached: ATTACH takes SHARE UPDATE EXCLUSIVE on audit.record,
-- beside which readers and writers go on; CREATE TABLE ... PARTITION OF takes ACCESS EXCLUSIVE, and while that waits for
-- one long reader every insert waits behind it. Attached is what pg_inherits says: a detached table may keep its name.
CREATE FUNCTION audit.ensure_partitions(ahead integer DEFAULT 3) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  month timestamp;
  partition_name text;
  made integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_partitions', 0));
  FOR month IN SELECT generate_series(date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC'),
      date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => ahead), interval '1 month') LOOP
    partition_name := 'record_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'audit.record'::regclass AND NOT i.inhdetachpending AND c.relname = partition_name);
    EXECUTE format('CREATE TABLE audit.%I (LIKE audit.record INCLUDING ALL)', partition_name);
    -- Statement triggers are not inherited by partitions, so each gets its own against TRUNCATE; ATTACH clones the row trigger.
    EXECUTE format('CREATE TRIGGER record_no_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', partition_name);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER record_no_truncate', partition_name);
    EXECUTE format('ALTER TABLE audit.record ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
      partition_name, to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER record_append_only', partition_name);
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;
REVOKE ALL ON FUNCTION audit.ensure_partitions(integer) FROM PUBLIC;
SELECT audit.ensure_partitions(3);
