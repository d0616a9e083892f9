-- Daemons, and runs of `once`, that work on this database. Leases name them.
CREATE TABLE instances (
    instance_id TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    command     TEXT   COLLATE "C" NOT NULL CHECK (command IN ('run', 'once')),
    version     TEXT   COLLATE "C" NOT NULL,
    key_ids     TEXT   COLLATE "C" NOT NULL,   -- a JSON array; the newest, which seals, is the first
    started_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL                -- by the clock of the database server
);
