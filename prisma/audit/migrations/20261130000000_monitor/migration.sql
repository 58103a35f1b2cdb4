-- People who sign in to the monitor by name and password. API keys sign in as well, and need no row here.
CREATE TABLE audit.operator (
  id uuid CONSTRAINT operator_pkey PRIMARY KEY,
  name text NOT NULL CONSTRAINT operator_name UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
  role text NOT NULL CHECK (role IN ('viewer', 'operator')),
  -- scrypt, with its parameters and salt.
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Sessions from before it are over.
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  disabled_at timestamptz
);

-- Sessions that were signed out before they would have ended by themselves.
CREATE TABLE audit.session_end (
  session_id uuid CONSTRAINT session_end_pkey PRIMARY KEY,
  ends_at timestamptz NOT NULL
);
CREATE INDEX session_end_over ON audit.session_end (ends_at);

-- Verifications of the log that somebody asked for, or that are due; a worker does them, one at a time.
CREATE TABLE audit.verification (
  id uuid CONSTRAINT verification_pkey PRIMARY KEY,
  record_id uuid,
  asked_by text NOT NULL,
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'running', 'done', 'failed')),
  holder uuid,
  beat_at timestamptz,
  tries smallint NOT NULL DEFAULT 0,
  progress jsonb,
  ended_at timestamptz,
  outcome text CHECK (outcome IN ('whole', 'broken')),
  report jsonb,
  error text,
  CONSTRAINT verification_ended CHECK ((state IN ('done', 'failed')) = (ended_at IS NOT NULL)),
  CONSTRAINT verification_outcome CHECK ((state = 'done') = (outcome IS NOT NULL))
);
CREATE INDEX verification_list ON audit.verification (asked_at, id);
CREATE INDEX verification_open ON audit.verification (asked_at) WHERE state IN ('asked', 'running');
-- Whoever asks for the same again while it is open gets that one.
CREATE UNIQUE INDEX verification_same ON audit.verification (record_id) NULLS NOT DISTINCT WHERE state IN ('asked', 'running');
