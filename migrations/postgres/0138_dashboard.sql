-- When daemons started, for the charts. `instances` has only those that are alive.
CREATE TABLE instance_starts (
    instance_id TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    started_at  BIGINT NOT NULL,
    version     TEXT   COLLATE "C" NOT NULL
);

-- The list of what failed, in pages.
CREATE INDEX notices_abandoned_in_order ON notices (notice_id) WHERE state = 'abandoned';
