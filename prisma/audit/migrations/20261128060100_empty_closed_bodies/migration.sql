-- Rows that were closed before the trigger. Nobody but an erasure touches closed rows, so that nothing waits for these.
UPDATE audit.failed_ingest SET body = '' WHERE state <> 'open' AND body <> '';
