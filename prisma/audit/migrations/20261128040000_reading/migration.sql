-- What reading needs beside record_by_time: each of these finds what is rare in a tenant, where a walk through time would look
-- at everything. CREATE INDEX on a partitioned table lets reads go on and holds writes back until it is done.

-- One actor's records, in the order of time.
CREATE INDEX record_by_actor ON audit.record (tenant_id, actor_id, recorded_at, record_id) WHERE actor_id IS NOT NULL;

-- An action, or those below a prefix: byte order, whatever the database's collation. Without the time, its entries are few
-- distinct values, which PostgreSQL keeps once each with the list of their rows.
CREATE INDEX record_by_action ON audit.record (tenant_id, action COLLATE "C");

-- The targets of a record, each as one number made of tenant and id: a hash, so that a tenant's ids find nothing of another
-- tenant's and no id stands in the index. Two that share a number cost a look, never a wrong answer. Its body is parsed
-- here and now, so that it means the same whatever search_path the writer has; a body that was erased has no targets. Its cost is
-- what it takes beside an operator: with the default a plan would rather compute it for each record than look into the index.
CREATE FUNCTION audit.target_keys(tenant_id text, body jsonb) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000
RETURN ARRAY(SELECT hashtextextended(tenant_id || chr(1) || (target->>'id'), 0)
  FROM jsonb_array_elements(CASE WHEN jsonb_typeof(body->'targets') = 'array' THEN body->'targets' ELSE '[]' END) AS t(target));
CREATE INDEX record_by_target ON audit.record USING gin (audit.target_keys(tenant_id, body));
