-- Attempts in a row that waited for something which is not the notice's fault are one row: how many they are, and when
-- the last one began (null: the row is one attempt). The row has the number of the first one.
ALTER TABLE attempts ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE attempts ADD COLUMN last_at INTEGER;
-- Why it ended so, as a reason code. Null in rows that an earlier version wrote.
ALTER TABLE attempts ADD COLUMN reason TEXT;
-- The one notice beyond its cadence that a lapse gets when it resumes.
ALTER TABLE notice_items ADD COLUMN extra INTEGER NOT NULL DEFAULT 0;
