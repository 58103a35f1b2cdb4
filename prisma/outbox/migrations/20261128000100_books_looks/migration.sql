-- R23: hours between two looks while nothing but open rows is found: it doubles, so that one event that stays open for weeks
-- does not have its hour read whole every hour.
ALTER TABLE outbox.book_check ADD COLUMN look_hours integer NOT NULL DEFAULT 0;
-- Which look the totals are of; and of the last one that asked the audit log for all, or for a share: what it asked.
ALTER TABLE outbox.book_check ADD COLUMN mode text;
ALTER TABLE outbox.book_check ADD COLUMN last_full jsonb;

-- Whether the job's walk has ended once and gone back for letters whose transaction had begun when it was made.
ALTER TABLE outbox.redrive_job ADD COLUMN late_walk boolean NOT NULL DEFAULT false;
