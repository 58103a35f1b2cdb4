-- Everything lives in the PostgreSQL schema that this migration is applied to (search_path = outbox).
-- No statement here creates a role or touches another schema.

-- What the producer appends. Insert-only: a trigger below refuses UPDATE.
CREATE TABLE outbox.event (
  id                uuid        NOT NULL,
  event_name        text        NOT NULL,
  event_type        text        NOT NULL,
  routing_key       text        NOT NULL,
  source            text        NOT NULL,
  aggregate_type    text        NOT NULL,
  aggregate_id      text        NOT NULL,
  aggregate_version bigint,
  tenant_id         text        NOT NULL DEFAULT '',
  payload           jsonb       NOT NULL,
  headers           jsonb       NOT NULL DEFAULT '{}',
  content_hash      text        NOT NULL,
  occurred_at       timestamptz NOT NULL,
  recorded_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Which transaction appended it: recorded_at comes before the commit, so only this tells a late append from an early one.
  tx_id             xid8        NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT event_pkey PRIMARY KEY (id)
);
CREATE INDEX event_recorded_at ON outbox.event (recorded_at, id);

-- The one mutable row beside each event. Narrow, because every status change rewrites it.
-- No foreign key to event: both rows are written by one statement, and the books compare them.
CREATE TABLE outbox.delivery (
  event_id     uuid        NOT NULL,
  epoch        integer     NOT NULL DEFAULT 0,
  -- Attempts from this epoch on spend the budget: a redrive starts it anew, an item that falls out of a batch keeps it.
  budget_epoch integer     NOT NULL DEFAULT 0,
  status       text        NOT NULL DEFAULT 'PENDING',
  destination  text        NOT NULL,
  event_type   text        NOT NULL,
  tenant       text        NOT NULL DEFAULT '',
  due_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_token  uuid,
  carrier      text,
  started_at   timestamptz,
  settled_at   timestamptz,
  receipt      jsonb,
  start_tries  integer     NOT NULL DEFAULT 0,
  redispatches integer     NOT NULL DEFAULT 0,
  -- Of its budget: how long it waited for its destination. Not part of the deadline.
  waited_ms    bigint      NOT NULL DEFAULT 0,
  -- Of all epochs: an attempt that left no row may have taken effect.
  doubtful     boolean     NOT NULL DEFAULT false,
  policy_hash  text,
  order_key    text,
  order_no     bigint,
  no_coalesce  boolean     NOT NULL DEFAULT false,
  CONSTRAINT delivery_pkey PRIMARY KEY (event_id),
  CONSTRAINT delivery_status CHECK (status IN ('PENDING', 'STARTED', 'DELIVERED', 'DEAD', 'DISCARDED')),
  CONSTRAINT delivery_budget CHECK (budget_epoch BETWEEN 0 AND epoch),
  CONSTRAINT delivery_lease CHECK (lease_token IS NULL OR status = 'PENDING'),
  CONSTRAINT delivery_receipt CHECK (status <> 'DELIVERED' OR receipt IS NOT NULL)
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.0,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_analyze_scale_factor = 0.0,
  autovacuum_analyze_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0.0,
  autovacuum_vacuum_insert_threshold = 20000,
  autovacuum_vacuum_cost_delay = 0
);
-- R5, R6: a row is in one of these at most, so three cost what one would, and each has the order of its question
-- (docs/decisions/claim-index.md). What waits, by lanes, for the claim:
CREATE INDEX delivery_waiting ON outbox.delivery (destination, event_type, tenant, due_at)
  WHERE status = 'PENDING' AND order_key IS NULL;
-- Runs of one event, by when they should next move, for the room and for who looks after those past due:
CREATE INDEX delivery_running ON outbox.delivery (destination, due_at) WHERE status = 'STARTED' AND carrier IS NULL;
-- Batches under way: each counts as one, so their carriers are walked, not their rows.
CREATE INDEX delivery_carried ON outbox.delivery (destination, carrier, due_at)
  WHERE status = 'STARTED' AND carrier IS NOT NULL;
-- R9: the order of an aggregate (docs/decisions/ordered-claim.md). Events of unordered types are in none of these. What
-- waits: the first row of each key is the one that may go.
CREATE INDEX delivery_order ON outbox.delivery (destination, event_type, tenant, order_key, order_no, event_id)
  WHERE order_key IS NOT NULL AND status = 'PENDING';
-- What is under way, one of each key at most: two claims whose snapshots differ cannot both have one of an aggregate.
CREATE UNIQUE INDEX delivery_order_busy ON outbox.delivery (destination, event_type, tenant, order_key)
  WHERE order_key IS NOT NULL AND (status = 'STARTED' OR lease_token IS NOT NULL);
-- What blocks those behind it, where the event type says so.
CREATE INDEX delivery_order_dead ON outbox.delivery (destination, event_type, tenant, order_key, order_no, event_id)
  WHERE order_key IS NOT NULL AND status = 'DEAD';

-- R11: one row for each regular attempt, and for a local one that failed.
CREATE TABLE outbox.delivery_attempt (
  event_id    uuid        NOT NULL,
  epoch       integer     NOT NULL,
  n           integer     NOT NULL,
  local       boolean     NOT NULL DEFAULT false,
  run_id      text,
  worker      text,
  started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  code        text,
  status      integer,
  message     text,
  stack       text,
  causes      jsonb,
  response    jsonb,
  field       text,
  delay_ms    bigint,
  CONSTRAINT delivery_attempt_pkey PRIMARY KEY (event_id, epoch, n)
) WITH (fillfactor = 90);

CREATE TABLE outbox.dead_letter (
  id               uuid        NOT NULL,
  event_id         uuid        NOT NULL,
  epoch            integer     NOT NULL,
  -- The event's own, so that a list of letters reads no other table.
  destination      text        NOT NULL,
  event_type       text        NOT NULL,
  tenant           text        NOT NULL DEFAULT '',
  code             text        NOT NULL,
  message          text        NOT NULL,
  stack            text,
  causes           jsonb,
  response         jsonb,
  field            text,
  retry_count      integer     NOT NULL,
  max_retries      integer     NOT NULL,
  effect           text        NOT NULL DEFAULT 'unknown',
  -- R18: how often the destination was asked whether the effect stands, and when to ask next; NULL: not again.
  effect_asked     integer     NOT NULL DEFAULT 0,
  effect_ask_at    timestamptz,
  workflow_id      text,
  run_id           text,
  traceparent      text,
  policy_hash      text,
  first_failed_at  timestamptz,
  last_failed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  state            text        NOT NULL DEFAULT 'open',
  state_at         timestamptz,
  state_actor      text,
  state_reason     text,
  previous_id      uuid,
  CONSTRAINT dead_letter_pkey PRIMARY KEY (id),
  CONSTRAINT dead_letter_event_epoch UNIQUE (event_id, epoch),
  CONSTRAINT dead_letter_state CHECK (state IN ('open', 'redriven', 'resolved', 'discarded')),
  CONSTRAINT dead_letter_effect CHECK (effect IN ('none', 'unknown', 'stands'))
);
-- DEAD <=> one open letter (R23): the "one" is a fence, not a hope.
CREATE UNIQUE INDEX dead_letter_open ON outbox.dead_letter (event_id) WHERE state = 'open';
-- Lists, counts and redrive jobs walk the letters of one state by time; what else a person asks for is looked at on the way.
CREATE INDEX dead_letter_list ON outbox.dead_letter (state, created_at, id);
-- R23: which hours a redrive, a discard or a late receipt has touched.
CREATE INDEX dead_letter_moved ON outbox.dead_letter (state_at, id) WHERE state_at IS NOT NULL;
-- R18: the letters whose destination is to be asked again.
CREATE INDEX dead_letter_asks ON outbox.dead_letter (effect_ask_at)
  WHERE state = 'open' AND effect = 'unknown' AND effect_ask_at IS NOT NULL;

-- An edited payload; the event itself never changes. Applies from its epoch on (R15), the highest `seq` of it.
CREATE TABLE outbox.event_revision (
  event_id     uuid        NOT NULL,
  epoch        integer     NOT NULL,
  seq          integer     NOT NULL DEFAULT 1,
  payload      jsonb       NOT NULL,
  content_hash text        NOT NULL,
  actor        text        NOT NULL,
  reason       text        NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT event_revision_pkey PRIMARY KEY (event_id, epoch, seq)
);

-- Many letters redriven on one word. Its set is fixed: what was written before the job, walked by (created_at, id).
CREATE TABLE outbox.redrive_job (
  id         uuid        NOT NULL,
  filter     jsonb       NOT NULL,
  -- Whose key made it: that tenant sees and cancels it. NULL: an operator.
  tenant     text,
  -- Letters a second at most, and letters in all (NULL: every one).
  rate       integer     NOT NULL,
  cap        integer,
  expected   integer     NOT NULL,
  state      text        NOT NULL DEFAULT 'running',
  redriven   integer     NOT NULL DEFAULT 0,
  -- Settled, discarded or redriven by somebody else meanwhile.
  skipped    integer     NOT NULL DEFAULT 0,
  -- The last letter of the last step.
  cursor_at  timestamptz,
  cursor_id  uuid,
  next_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Why its last step failed; NULL once one succeeds.
  error      text,
  actor      text        NOT NULL,
  reason     text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at   timestamptz,
  ended_by   text,
  CONSTRAINT redrive_job_pkey PRIMARY KEY (id),
  CONSTRAINT redrive_job_state CHECK (state IN ('running', 'done', 'cancelled'))
);
CREATE INDEX redrive_job_running ON outbox.redrive_job (next_at) WHERE state = 'running';
CREATE INDEX redrive_job_list ON outbox.redrive_job (created_at, id);

-- A destination without a row has the defaults. The claim reads max_runs, breaker, open_until, closed_at, probe_*; the start
-- reads health. The breaker's own columns (R6, R19) are written by statements that name the revision they have read.
CREATE TABLE outbox.destination (
  name             text        NOT NULL,
  max_runs         integer,
  revision         bigint      NOT NULL DEFAULT 0,
  breaker          text        NOT NULL DEFAULT 'closed',
  -- +1 with every change of breaker: what was sent in one generation says nothing in another.
  generation       integer     NOT NULL DEFAULT 0,
  -- In a row, over all workers; of the last one the code and the status.
  failures         integer     NOT NULL DEFAULT 0,
  first_failure_at timestamptz,
  last_success_at  timestamptz,
  reason_code      text,
  reason_status    integer,
  opened_at        timestamptz,
  open_until       timestamptz,
  -- How long it stays open the next time; NULL: as configured.
  open_ms          integer,
  closed_at        timestamptz,
  trial_token      uuid,
  trial_until      timestamptz,
  probe_holder     uuid,
  probe_until      timestamptz,
  p95_ms           integer,
  health           text        NOT NULL DEFAULT 'ok',
  updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT destination_pkey PRIMARY KEY (name),
  CONSTRAINT destination_breaker CHECK (breaker IN ('closed', 'open', 'half_open')),
  CONSTRAINT destination_health CHECK (health IN ('ok', 'slow', 'degraded')),
  CONSTRAINT destination_max_runs CHECK (max_runs IS NULL OR max_runs >= 0)
);

-- From the first failure in a row to the trial that closed the breaker again: which letters an outage made.
CREATE TABLE outbox.outage (
  id               uuid        NOT NULL,
  destination      text        NOT NULL,
  first_failure_at timestamptz NOT NULL,
  opened_at        timestamptz NOT NULL,
  closed_at        timestamptz,
  code             text        NOT NULL,
  status           integer,
  CONSTRAINT outage_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX outage_open ON outbox.outage (destination) WHERE closed_at IS NULL;
CREATE INDEX outage_last ON outbox.outage (destination, opened_at);

-- What a person has paused. NULL in a column means "any"; without `until` it lasts until it is resumed.
CREATE TABLE outbox.pause (
  id          uuid        NOT NULL,
  destination text,
  event_type  text,
  tenant      text,
  until       timestamptz,
  reason      text        NOT NULL,
  actor       text        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT pause_pkey PRIMARY KEY (id),
  CONSTRAINT pause_scope UNIQUE NULLS NOT DISTINCT (destination, event_type, tenant)
);

-- What a person must be told, written in the transaction that made it true (R17); told by group, event type and code (R24).
CREATE TABLE outbox.notification (
  id             uuid        NOT NULL,
  kind           text        NOT NULL,
  group_key      text        NOT NULL,
  dead_letter_id uuid,
  event_id       uuid,
  epoch          integer,
  code           text        NOT NULL,
  event_type     text        NOT NULL,
  tenant         text        NOT NULL DEFAULT '',
  created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- R24: the run that tells of it.
  claimed_by     text,
  claimed_at     timestamptz,
  -- Told, or given up: what became of it stands in the outcome, by channel.
  done_at        timestamptz,
  outcome        jsonb,
  CONSTRAINT notification_pkey PRIMARY KEY (id),
  CONSTRAINT notification_claim CHECK ((claimed_by IS NULL) = (claimed_at IS NULL)),
  CONSTRAINT notification_done CHECK (done_at IS NULL OR claimed_by IS NOT NULL)
);
CREATE INDEX notification_waiting ON outbox.notification (group_key, created_at, id)
  WHERE claimed_by IS NULL AND done_at IS NULL;
CREATE INDEX notification_claimed ON outbox.notification (claimed_by) WHERE done_at IS NULL AND claimed_by IS NOT NULL;

-- What is wrong with the environment: raised by any role, told by the holder of the lease `alerts`, once, and once when over.
CREATE TABLE outbox.alert (
  kind         text        NOT NULL,
  -- Which destination, task queue, hour; '' where there is one only.
  subject      text        NOT NULL DEFAULT '',
  fields       jsonb       NOT NULL,
  since        timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  times        bigint      NOT NULL DEFAULT 1,
  over_at      timestamptz,
  -- How far each channel has come with this occurrence, and when to go on.
  tellings     jsonb       NOT NULL DEFAULT '{}',
  tell_from    timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Of the occurrence told last, which may be an earlier one.
  told_at      timestamptz,
  told_over_at timestamptz,
  CONSTRAINT alert_pkey PRIMARY KEY (kind, subject)
);

-- Retry policies by content hash; a delivery refers to the hash that its run was started with.
CREATE TABLE outbox.policy (
  hash       text        NOT NULL,
  body       jsonb       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT policy_pkey PRIMARY KEY (hash)
);

-- R9: how the events of a type are ordered; a type without a row is not. Written by `outbox policies apply` alone, so that
-- relays with different configurations do not take turns. Appending reads it, and so does the claim.
CREATE TABLE outbox.event_type (
  name       text        NOT NULL,
  ordering   text        NOT NULL,
  actor      text        NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT event_type_pkey PRIMARY KEY (name),
  CONSTRAINT event_type_ordering CHECK (ordering IN ('none', 'block', 'skip'))
);

-- R1: one row, the name that is in workflow ids and the task queue. R3: the Temporal namespace that its runs are in.
CREATE TABLE outbox.deployment (
  singleton    boolean     NOT NULL DEFAULT true,
  name         text        NOT NULL,
  namespace_id uuid,
  -- What was started before this moment was in a namespace that is gone: it is dispatched again (`adopt --lost`).
  adopting_before timestamptz,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT deployment_pkey PRIMARY KEY (singleton),
  CONSTRAINT deployment_singleton CHECK (singleton),
  CONSTRAINT deployment_name CHECK (name ~ '^[a-z0-9-]{1,40}$')
);

-- One holder for each duty that needs one (reconcile, effects, …): whoever renews in time keeps it, then anybody takes it.
CREATE TABLE outbox.lease (
  name           text        NOT NULL,
  holder         uuid        NOT NULL,
  until          timestamptz NOT NULL,
  -- R21: why the duty writes nothing at the moment; it outlives its holder.
  stopped_reason text,
  CONSTRAINT lease_pkey PRIMARY KEY (name)
);

-- R23: how many rows of an hour of append retention has removed, written in the transaction that removes them.
CREATE TABLE outbox.book (
  hour   timestamptz NOT NULL,
  status text        NOT NULL,
  count  bigint      NOT NULL,
  CONSTRAINT book_pkey PRIMARY KEY (hour, status)
);

-- R23: the books of one hour of append (UTC), as the last look found them.
CREATE TABLE outbox.book_check (
  hour       timestamptz NOT NULL,
  -- When the last look began, and what it could see; NULL: none has ended yet.
  checked_at timestamptz,
  snapshot   pg_snapshot,
  -- Of the first look: transactions from here on began too late to append into the hour.
  horizon    xid8,
  -- No append can touch it any more.
  closed     boolean     NOT NULL DEFAULT false,
  totals     jsonb       NOT NULL DEFAULT '{}',
  gap_count  integer     NOT NULL DEFAULT 0,
  gaps       jsonb       NOT NULL DEFAULT '[]',
  -- When to look again; NULL: nothing is expected to move. From `whole_at` on the audit log is asked for every event.
  again_at   timestamptz DEFAULT clock_timestamp(),
  whole_at   timestamptz,
  -- The look under way, as far as it has come.
  look       jsonb,
  CONSTRAINT book_check_pkey PRIMARY KEY (hour)
);
CREATE INDEX book_check_due ON outbox.book_check (again_at) WHERE again_at IS NOT NULL;

-- RFC 9562, section 5.7 (PostgreSQL has uuidv7() from 18 on; this works from 15 on).
CREATE FUNCTION outbox.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
              PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- R26: what an event says, in one hash. jsonb's text form is canonical within a server (keys ordered, duplicates gone).
CREATE FUNCTION outbox.content_hash(
  event_name text, event_type text, routing_key text, aggregate_type text, aggregate_id text, aggregate_version bigint,
  tenant_id text, occurred_at timestamptz, payload jsonb
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'sha-256:' || encode(sha256(convert_to(
    jsonb_build_array(event_name, event_type, routing_key, aggregate_type, aggregate_id, aggregate_version, tenant_id,
      to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), payload)::text, 'UTF8')), 'hex')
$$;

-- R9: one name for an aggregate, evenly spread: a claim that cannot look at all of them begins at any.
CREATE FUNCTION outbox.order_key(aggregate_type text, aggregate_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT left(encode(sha256(convert_to(jsonb_build_array(aggregate_type, aggregate_id)::text, 'UTF8')), 'hex'), 32)
$$;

CREATE FUNCTION outbox.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '%.% is insert-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER event_insert_only BEFORE UPDATE ON outbox.event FOR EACH ROW EXECUTE FUNCTION outbox.refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON outbox.event FOR EACH STATEMENT EXECUTE FUNCTION outbox.refuse_change();

-- Whether a JSON value nests more than `levels` objects and arrays. What holds no more brackets than that cannot: most
-- events are told by counting characters, without the walk.
CREATE FUNCTION outbox.deeper_than(value jsonb, levels integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF value IS NULL OR length(value::text) - length(translate(value::text, '[{', '')) <= levels THEN RETURN false; END IF;
  RETURN (
    WITH RECURSIVE node(v, depth) AS (
      SELECT value, CASE WHEN jsonb_typeof(value) IN ('object', 'array') THEN 1 ELSE 0 END
      UNION ALL
      SELECT child.v, node.depth + 1
      FROM node
      CROSS JOIN LATERAL (
        SELECT e.value AS v FROM jsonb_each(CASE jsonb_typeof(node.v) WHEN 'object' THEN node.v END) e
        UNION ALL
        SELECT a.value FROM jsonb_array_elements(CASE jsonb_typeof(node.v) WHEN 'array' THEN node.v END) a
      ) child
      WHERE jsonb_typeof(child.v) IN ('object', 'array') AND node.depth <= levels
    )
    SELECT max(depth) > levels FROM node);
END
$$;

-- RFC 3339 with "T", a zone and a day that its month has, in the years 1000 to 2999. (pg_input_is_valid is PostgreSQL 16's.)
CREATE FUNCTION outbox.is_rfc3339(value text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN value ~ '^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$'
      THEN substr(value, 9, 2)::integer <= extract(day FROM
        make_date(substr(value, 1, 4)::integer, substr(value, 6, 2)::integer, 1) + interval '1 month' - interval '1 day')
    ELSE false
  END
$$;

-- What keeps one event from being appended, or NULL. Names the field, what was expected and what came; never its content.
CREATE FUNCTION outbox.event_problem(e jsonb) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  problem text;
  fields constant text[] := ARRAY['id', 'eventName', 'eventType', 'routingKey', 'source', 'aggregate', 'tenantId',
    'payload', 'headers', 'occurredAt', 'availableAt'];
  strings constant text[] := ARRAY['id', 'eventName', 'eventType', 'routingKey', 'source', 'tenantId', 'occurredAt', 'availableAt'];
  a constant jsonb := e->'aggregate';
  h constant jsonb := e->'headers';
  control constant text := '[\u0001-\u001f\u007f-\u009f]';
BEGIN
  IF jsonb_typeof(e) IS DISTINCT FROM 'object' THEN
    RETURN format('expected an object, got %s', coalesce(jsonb_typeof(e), 'null'));
  END IF;
  SELECT format('%s: not a field of an event; put what is your own into payload or headers', left(k, 64)) INTO problem
    FROM jsonb_object_keys(e) k WHERE k <> ALL (fields) LIMIT 1;
  IF problem IS NOT NULL THEN RETURN problem; END IF;
  SELECT format('%s: expected a string, got %s', k, jsonb_typeof(e->k)) INTO problem
    FROM unnest(strings) k WHERE jsonb_typeof(e->k) NOT IN ('string', 'null') LIMIT 1;
  IF problem IS NOT NULL THEN RETURN problem; END IF;
  IF coalesce(jsonb_typeof(a), '') <> 'object' THEN
    RETURN format('aggregate: expected an object {type, id, version?}, got %s', coalesce(jsonb_typeof(a), 'nothing'));
  END IF;
  SELECT format('aggregate.%s: not a field of an aggregate', left(k, 64)) INTO problem
    FROM jsonb_object_keys(a) k WHERE k <> ALL (ARRAY['type', 'id', 'version']) LIMIT 1;
  IF problem IS NOT NULL THEN RETURN problem; END IF;

  RETURN CASE
    WHEN coalesce(jsonb_typeof(e->'payload'), '') <> 'object'
      THEN format('payload: expected an object, got %s', coalesce(jsonb_typeof(e->'payload'), 'nothing'))
    WHEN coalesce(jsonb_typeof(h), 'null') NOT IN ('object', 'null')
      THEN format('headers: expected an object, got %s', jsonb_typeof(h))
    WHEN coalesce(e->>'id', '00000000-0000-0000-0000-000000000000') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
      THEN 'id: expected a UUID of 36 characters'
    WHEN coalesce(e->>'eventName', '') !~ '^[A-Za-z][A-Za-z0-9_.-]{0,127}$'
      THEN 'eventName: expected 1 to 128 letters, digits, "_", "." or "-", beginning with a letter'
    WHEN coalesce(e->>'eventType', '') !~ '^[A-Za-z][A-Za-z0-9_.-]{0,63}$'
      THEN 'eventType: expected 1 to 64 letters, digits, "_", "." or "-", beginning with a letter'
    WHEN coalesce(e->>'routingKey', 'audit.log') !~ '^[A-Za-z][A-Za-z0-9_.-]{0,63}$'
      THEN 'routingKey: expected 1 to 64 letters, digits, "_", "." or "-", beginning with a letter'
    WHEN NOT coalesce(jsonb_typeof(a->'type') = 'string' AND length(a->>'type') BETWEEN 1 AND 64 AND a->>'type' !~ control, false)
      THEN 'aggregate.type: expected a string of 1 to 64 characters, no control characters'
    WHEN NOT coalesce(jsonb_typeof(a->'id') = 'string' AND length(a->>'id') BETWEEN 1 AND 128 AND a->>'id' !~ control, false)
      THEN 'aggregate.id: expected a string of 1 to 128 characters, no control characters'
    WHEN NOT CASE coalesce(jsonb_typeof(a->'version'), 'null')
        WHEN 'null' THEN true
        WHEN 'number' THEN a->>'version' ~ '^[0-9]{1,16}$' AND (a->>'version')::numeric <= 9007199254740991
        ELSE false
      END
      THEN 'aggregate.version: expected a whole number from 0 to 2^53 - 1'
    WHEN length(coalesce(e->>'tenantId', '')) > 64 OR coalesce(e->>'tenantId', '') ~ control
      THEN 'tenantId: expected at most 64 characters, no control characters'
    WHEN length(coalesce(e->>'source', '-')) NOT BETWEEN 1 AND 256 OR coalesce(e->>'source', '-') ~ control
      THEN 'source: expected 1 to 256 characters, no control characters'
    WHEN NOT outbox.is_rfc3339(coalesce(e->>'occurredAt', '2000-01-01T00:00:00Z'))
      THEN 'occurredAt: expected a time like 2026-11-23T09:30:00.000Z (RFC 3339, with a zone)'
    -- What has happened lies in the past; the audit log refuses more than five minutes, so the event would only die later.
    WHEN (e->>'occurredAt')::timestamptz > clock_timestamp() + interval '5 minutes'
      THEN 'occurredAt: expected at most 5 minutes ahead of the database''s clock; to deliver later give availableAt'
    WHEN NOT outbox.is_rfc3339(coalesce(e->>'availableAt', '2000-01-01T00:00:00Z'))
      THEN 'availableAt: expected a time like 2026-11-23T09:30:00.000Z (RFC 3339, with a zone)'
    WHEN NOT CASE coalesce(jsonb_typeof(h->'traceparent'), 'absent')
        WHEN 'absent' THEN true
        WHEN 'string' THEN h->>'traceparent' ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
        ELSE false
      END
      THEN 'headers.traceparent: expected a W3C traceparent (00-<32 hex digits>-<16 hex digits>-<2 hex digits>)'
    WHEN NOT CASE coalesce(jsonb_typeof(h->'correlationId'), 'absent')
        WHEN 'absent' THEN true
        WHEN 'string' THEN length(h->>'correlationId') BETWEEN 1 AND 128 AND h->>'correlationId' !~ control
        ELSE false
      END
      THEN 'headers.correlationId: expected a string of 1 to 128 characters, no control characters'
    WHEN coalesce(jsonb_typeof(h->'actor'), 'object') <> 'object'
      THEN format('headers.actor: expected an object, got %s', jsonb_typeof(h->'actor'))
    WHEN octet_length((e->'payload')::text) > 49152
      THEN format('payload: expected at most 49152 bytes of JSON, got %s; keep large content elsewhere and refer to it',
        octet_length((e->'payload')::text))
    WHEN octet_length(coalesce(h::text, '')) > 8192
      THEN format('headers: expected at most 8192 bytes of JSON, got %s', octet_length(h::text))
    WHEN outbox.deeper_than(e->'payload', 32) THEN 'payload: expected at most 32 levels of objects and arrays'
    WHEN outbox.deeper_than(h, 32) THEN 'headers: expected at most 32 levels of objects and arrays'
  END;
END
$$;

-- The contract for producers in every language. Takes one event as JSON, camelCase as in recordEvent:
--   eventName, eventType, aggregate {type, id, version?}, payload; optional id (UUID), routingKey ('audit.log'), source,
--   tenantId, headers {traceparent?, correlationId?, actor?, ...}, occurredAt, availableAt (RFC 3339). null is absent.
--   Sizes are those of jsonb's text form (a space after each ":" and ",").
-- Appends the event and its delivery row in one statement and returns the id. It runs in the caller's transaction; SQL
-- cannot tell a transaction from a single statement, so it CANNOT refuse to be called outside of one: call it in the
-- transaction that writes your business rows.
-- An event of a type that is ordered (`outbox policies apply`) must carry its aggregate's version.
-- Raises 22023 (invalid_parameter_value) with the field's name when the event does not fit, 23505 when the id exists, and
-- 55000 (object_not_in_prerequisite_state) when an event has no source and the deployment that would be it has no name.
CREATE FUNCTION outbox.record_events(events jsonb) RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  refusal text;
  own_source text;
BEGIN
  IF jsonb_typeof(events) IS DISTINCT FROM 'array' THEN
    RAISE EXCEPTION 'outbox.record_events expects a JSON array of events, got %', coalesce(jsonb_typeof(events), 'null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT format('event %s: %s', n - 1, problem) INTO refusal
  FROM jsonb_array_elements(events) WITH ORDINALITY AS item(v, n)
  CROSS JOIN LATERAL outbox.event_problem(v) AS problem
  WHERE problem IS NOT NULL ORDER BY n LIMIT 1;
  IF refusal IS NOT NULL THEN
    RAISE EXCEPTION '%', refusal USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT format('event %s: aggregate.version: expected a whole number, got nothing; events of type %s are delivered in the order of their aggregate''s versions',
    n - 1, v->>'eventType') INTO refusal
  FROM jsonb_array_elements(events) WITH ORDINALITY AS item(v, n)
  JOIN outbox.event_type t ON t.name = v->>'eventType' AND t.ordering <> 'none'
  WHERE v->'aggregate'->>'version' IS NULL ORDER BY n LIMIT 1;
  IF refusal IS NOT NULL THEN
    RAISE EXCEPTION '%', refusal USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- R25: part of the event's identity for ever, so never a guess.
  SELECT 'outbox:' || name INTO own_source FROM outbox.deployment;
  IF own_source IS NULL AND EXISTS (SELECT FROM jsonb_array_elements(events) v WHERE v->>'source' IS NULL) THEN
    RAISE EXCEPTION 'this outbox has no deployment name yet, and an event''s source is "outbox:<deployment>": run `outbox migrate deploy --deployment NAME`, or give each event a source'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;

  RETURN QUERY
  WITH input AS (
    SELECT
      coalesce((v->>'id')::uuid, outbox.uuid_v7()) AS id,
      v->>'eventName' AS event_name,
      v->>'eventType' AS event_type,
      coalesce(v->>'routingKey', 'audit.log') AS routing_key,
      coalesce(v->>'source', own_source) AS source,
      v->'aggregate'->>'type' AS aggregate_type,
      v->'aggregate'->>'id' AS aggregate_id,
      (v->'aggregate'->>'version')::bigint AS aggregate_version,
      coalesce(v->>'tenantId', '') AS tenant_id,
      v->'payload' AS payload,
      CASE jsonb_typeof(v->'headers') WHEN 'object' THEN v->'headers' ELSE '{}' END AS headers,
      date_trunc('milliseconds', coalesce((v->>'occurredAt')::timestamptz, clock_timestamp())) AS occurred_at,
      (v->>'availableAt')::timestamptz AS available_at,
      position
    FROM jsonb_array_elements(events) WITH ORDINALITY AS item(v, position)
  ), new_event AS (
    INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id,
      aggregate_version, tenant_id, payload, headers, content_hash, occurred_at)
    SELECT i.id, i.event_name, i.event_type, i.routing_key, i.source, i.aggregate_type, i.aggregate_id,
      i.aggregate_version, i.tenant_id, i.payload, i.headers,
      outbox.content_hash(i.event_name, i.event_type, i.routing_key, i.aggregate_type, i.aggregate_id,
        i.aggregate_version, i.tenant_id, i.occurred_at, i.payload),
      i.occurred_at
    FROM input i ORDER BY i.id
  ), new_delivery AS (
    INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, due_at, order_key, order_no)
    SELECT i.id, i.routing_key, i.event_type, i.tenant_id, greatest(i.available_at, clock_timestamp()),
      CASE WHEN t.name IS NOT NULL THEN outbox.order_key(i.aggregate_type, i.aggregate_id) END,
      CASE WHEN t.name IS NOT NULL THEN i.aggregate_version END
    FROM input i LEFT JOIN outbox.event_type t ON t.name = i.event_type AND t.ordering <> 'none'
    ORDER BY i.id
  )
  SELECT i.id FROM input i ORDER BY i.position;
END
$$;

CREATE FUNCTION outbox.record_event(event jsonb) RETURNS uuid LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT outbox.record_events(jsonb_build_array(event))
$$;
