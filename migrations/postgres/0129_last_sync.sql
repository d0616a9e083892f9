ALTER TABLE connections ADD COLUMN last_synced_at BIGINT;   -- as of the last response that changed something
