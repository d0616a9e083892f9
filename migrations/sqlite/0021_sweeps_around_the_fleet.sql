-- Sweeps poll members in the order of a hash of their id, so that any stretch of a sweep is a sample of the whole fleet.
-- Null in rows that an earlier version wrote, until the next start fills it in.
ALTER TABLE members ADD COLUMN poll_key INTEGER;
CREATE INDEX members_to_poll ON members (poll_key) WHERE removed_at IS NULL AND paused_at IS NULL;
CREATE INDEX members_without_poll_key ON members (member_id) WHERE poll_key IS NULL;

-- A sweep starts behind the position at which the one before it stopped early, and wraps around.
ALTER TABLE sweeps DROP COLUMN cursor;
ALTER TABLE sweeps ADD COLUMN starts_after INTEGER;             -- a poll key; null: at the first member
ALTER TABLE sweeps ADD COLUMN position INTEGER;                 -- poll key of the last member of the last checkpoint
ALTER TABLE sweeps ADD COLUMN wrapped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweeps ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sweeps_by_start ON sweeps (started_at);
