ALTER TABLE connections ADD COLUMN last_synced_at INTEGER;   -- as of the last response that changed something
