-- An import stores its rows here first. They become members in short transactions after the whole file was read.
CREATE TABLE imports (
    import_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    -- When the whole file was read without an error. The rows are applied from then on, even after an interruption.
    read_at    INTEGER
) STRICT;

CREATE TABLE import_rows (
    import_id     INTEGER NOT NULL REFERENCES imports (import_id),
    line          INTEGER NOT NULL,
    member_id     TEXT NOT NULL,
    -- NULL keeps the stored value. An empty text clears it.
    email         TEXT,
    address_hash  BLOB,
    domain        TEXT,
    locale        TEXT,
    time_zone     TEXT,
    subject       TEXT,
    label         TEXT,
    poll_key      INTEGER NOT NULL,
    -- The sealed credential, if the row brings a new one.
    key_id        TEXT,
    sealed        BLOB,
    imported_key  TEXT,
    imported_hash BLOB,
    PRIMARY KEY (import_id, line)
) STRICT, WITHOUT ROWID;

-- Distinguishes members who share an address.
ALTER TABLE members ADD COLUMN label TEXT;
