-- What the monitor and `outbox status` look at. The three indexes read their tables once, and whoever appends or settles waits
-- for so long: with tens of millions of rows make them beforehand, with the same words and CONCURRENTLY (docs/running.md).

-- What was settled in a minute, and how long it took; and, behind the newest, the rate of now.
CREATE INDEX IF NOT EXISTS delivery_settled ON outbox.delivery (settled_at) WHERE settled_at IS NOT NULL;
-- All of one aggregate, the newest first.
CREATE INDEX IF NOT EXISTS event_by_aggregate ON outbox.event (aggregate_id, recorded_at, id);
-- Open letters by type and code, counted from the index alone.
CREATE INDEX IF NOT EXISTS dead_letter_kinds ON outbox.dead_letter (event_type, code, tenant, destination, created_at)
  WHERE state = 'open';

-- Deliveries of a minute, or of a quarter of an hour, counted once behind its end. A span without its row of the dimension `all`
-- was not counted: that is not the same as nothing was delivered.
CREATE TABLE outbox.figure (
  span smallint NOT NULL CHECK (span IN (1, 15)),
  begins_at timestamptz NOT NULL,
  dimension text NOT NULL CHECK (dimension IN ('all', 'destination', 'event_type', 'tenant')),
  -- Of all whose names have no row of their own, so that sums stay exact.
  folded boolean NOT NULL DEFAULT false,
  name text NOT NULL DEFAULT '',
  delivered integer NOT NULL,
  died integer NOT NULL,
  -- How many of the deliveries stand in `latency`: all, or a part of very many.
  timed integer NOT NULL,
  -- Commit to DELIVERED: how many took as long as each bucket says (src/domain/delivery/latency-histogram.ts).
  latency integer[] NOT NULL,
  CONSTRAINT figure_pkey PRIMARY KEY (span, begins_at, dimension, folded, name)
);

-- Who runs, and how what they need looks from there. A row is written every five seconds: no index holds what changes.
CREATE TABLE outbox.process (
  id uuid CONSTRAINT process_pkey PRIMARY KEY,
  roles text[] NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The database's clock ahead of the process's.
  skew_ms integer NOT NULL,
  says jsonb NOT NULL
) WITH (fillfactor = 50);
