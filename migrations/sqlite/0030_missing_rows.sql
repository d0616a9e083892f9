-- A row that the gateway's list leaves out, until that is confirmed: since when, and in how many responses in a row.
ALTER TABLE connections ADD COLUMN missing_since INTEGER;
ALTER TABLE connections ADD COLUMN missing_observations INTEGER NOT NULL DEFAULT 0;
CREATE INDEX connections_missing ON connections (member_id) WHERE missing_since IS NOT NULL;
