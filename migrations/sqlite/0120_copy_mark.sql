-- Set while this database is filled by a copy of another one ('incomplete'), and since it was copied ('copied'). No daemon
-- runs on it, and nothing else is written.
CREATE TABLE copy_mark (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    state     TEXT    NOT NULL CHECK (state IN ('incomplete', 'copied')),
    other     TEXT    NOT NULL,     -- the database that it is copied from, or was copied to; without a password
    marked_at INTEGER NOT NULL
) STRICT;
