-- When the lapse opened last: its first confirmation, or the confirmation with which it resumed.
ALTER TABLE lapses ADD COLUMN last_opened_at INTEGER;
UPDATE lapses SET last_opened_at = CASE WHEN state = 'open' AND suspected_at > opened_at THEN suspected_at ELSE opened_at END
    WHERE opened_at IS NOT NULL;
CREATE INDEX lapses_by_last_opening ON lapses (last_opened_at) WHERE last_opened_at IS NOT NULL;

-- Of a storm that calmed down or that the operator ended: lapses that opened by then start no other storm.
ALTER TABLE holds ADD COLUMN counted_until INTEGER;
