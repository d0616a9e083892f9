-- The order in which sweeps began, as a column: the order of their ids and times is wrong after a clock was ahead.
CREATE TABLE new_sweeps (
    sequence            INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep_id            TEXT    NOT NULL UNIQUE,
    started_at          INTEGER NOT NULL,
    finished_at         INTEGER,
    members             INTEGER NOT NULL DEFAULT 0,
    unclear             INTEGER NOT NULL DEFAULT 0,
    transitions         INTEGER NOT NULL DEFAULT 0,
    complete            INTEGER NOT NULL DEFAULT 0,
    ended_early_because TEXT,
    starts_after        INTEGER,
    position            INTEGER,
    wrapped             INTEGER NOT NULL DEFAULT 0,
    skipped             INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO new_sweeps (sequence, sweep_id, started_at, finished_at, members, unclear, transitions, complete,
        ended_early_because, starts_after, position, wrapped, skipped)
    SELECT rowid, sweep_id, started_at, finished_at, members, unclear, transitions, complete, ended_early_because,
           starts_after, position, wrapped, skipped
    FROM sweeps;
DROP TABLE sweeps;
ALTER TABLE new_sweeps RENAME TO sweeps;
CREATE INDEX sweeps_by_start ON sweeps (started_at);
