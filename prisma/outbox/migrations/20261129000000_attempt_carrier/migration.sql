-- R20: of an attempt that was made for many events at once, the run that carried them; the event's own run has none.
ALTER TABLE outbox.delivery_attempt ADD COLUMN carrier text;
