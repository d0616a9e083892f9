-- When daemons started, for the charts. `instances` has only those that are alive.
CREATE TABLE instance_starts (
    instance_id TEXT    NOT NULL PRIMARY KEY,
    started_at  INTEGER NOT NULL,
    version     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The list of what failed, in pages.
CREATE INDEX notices_abandoned_in_order ON notices (notice_id) WHERE state = 'abandoned';
