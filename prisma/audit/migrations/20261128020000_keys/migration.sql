-- What a key has beside its scopes: when it was last used (to about a minute), a rate of its own, and, where its requests
-- must be signed, the secret they are signed with: sealed with AES-256-GCM under AUDIT_SECRET_KEY, never in the clear. While
-- a secret is changed there are two: the old one holds until its time is over.
ALTER TABLE audit.api_key
  ADD COLUMN last_used_at       timestamptz,
  ADD COLUMN rate_per_minute    integer,
  ADD COLUMN signing_secret     bytea,
  ADD COLUMN old_signing_secret bytea,
  ADD COLUMN old_secret_until   timestamptz,
  ADD CONSTRAINT api_key_rate CHECK (rate_per_minute > 0),
  ADD CONSTRAINT api_key_old_secret CHECK ((old_signing_secret IS NULL) = (old_secret_until IS NULL)),
  ADD CONSTRAINT api_key_old_beside_new CHECK (old_signing_secret IS NULL OR signing_secret IS NOT NULL);
