-- The connections as the gateway last listed them. A row that vanished stays, as DELETED.
CREATE TABLE connections (
    member_id        TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id    TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    category         TEXT,
    source_type      TEXT,
    integration_type TEXT,
    is_direct        INTEGER NOT NULL,
    status           TEXT,
    sync_status      TEXT,
    sync_errors      TEXT    NOT NULL,  -- a JSON array of codes
    first_seen_at    INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    PRIMARY KEY (member_id, connection_id)
) STRICT;
