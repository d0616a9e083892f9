-- Daemons, and runs of `once`, that work on this database. Leases name them.
CREATE TABLE instances (
    instance_id TEXT    NOT NULL PRIMARY KEY,
    command     TEXT    NOT NULL CHECK (command IN ('run', 'once')),
    version     TEXT    NOT NULL,
    key_ids     TEXT    NOT NULL,   -- a JSON array; the newest, which seals, is the first
    started_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL    -- by the clock of this machine
) STRICT, WITHOUT ROWID;
