-- Scheduled passes, with how far each has come.
CREATE TABLE sweeps (
    sweep_id    TEXT    NOT NULL PRIMARY KEY,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    cursor      TEXT,                   -- the last member of the last finished page
    members     INTEGER NOT NULL DEFAULT 0,
    unclear     INTEGER NOT NULL DEFAULT 0,
    transitions INTEGER NOT NULL DEFAULT 0,
    complete    INTEGER NOT NULL DEFAULT 0,
    stopped     TEXT                    -- why it ended early, if it did
) STRICT;

-- Early polls of single members.
CREATE TABLE rechecks (
    member_id TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    purpose   TEXT    NOT NULL CHECK (purpose IN ('redemption', 'suspicion')),
    due_at    INTEGER NOT NULL,
    since     INTEGER NOT NULL,         -- the redemption, or the first sighting
    done      INTEGER NOT NULL,         -- polls made since then
    PRIMARY KEY (member_id, purpose)
) STRICT;
CREATE INDEX rechecks_due ON rechecks (due_at);
