-- How the last attempt ended. The letter's own code may be the reason to stop (DELIVERY.DEADLINE), and its response may be
-- an earlier attempt's: which letters an outage made is judged by these (R19).
ALTER TABLE outbox.dead_letter ADD COLUMN last_code text, ADD COLUMN last_status integer;

-- Of the letters that are open: the last attempt of their budget, which began behind the letter before them. Closed ones are
-- many, and only shown: their status is that of their response.
UPDATE outbox.dead_letter l SET last_code = last.code, last_status = last.status
FROM outbox.dead_letter s
LEFT JOIN outbox.dead_letter p ON p.id = s.previous_id
CROSS JOIN LATERAL (
  SELECT a.code, a.status FROM outbox.delivery_attempt a
  WHERE a.event_id = s.event_id AND a.epoch <= s.epoch AND a.epoch > coalesce(p.epoch, -1) AND a.code IS NOT NULL
  ORDER BY a.epoch DESC, a.n DESC LIMIT 1
) last
WHERE l.id = s.id AND l.state = 'open';

-- An outage's open letters: those of its destination, by when they failed.
CREATE INDEX dead_letter_by_destination ON outbox.dead_letter (destination, last_failed_at) WHERE state = 'open';
