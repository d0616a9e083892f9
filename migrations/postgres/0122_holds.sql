-- Orders by the operator or the storm brake not to send email.
CREATE TABLE holds (
    hold_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('operator', 'storm')),
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('holding', 'dripping', 'ended')),
    source      TEXT COLLATE "C",              -- in lower case; null: every source
    member_id   TEXT COLLATE "C" REFERENCES members ON DELETE CASCADE,
    status      TEXT COLLATE "C",              -- null: every status
    reason      TEXT COLLATE "C" NOT NULL,
    since       BIGINT NOT NULL,
    until       BIGINT,              -- null: until it is released
    ended_at    BIGINT,
    lapsed      BIGINT NOT NULL DEFAULT 0,   -- of a storm: the lapses that triggered it
    connections BIGINT NOT NULL DEFAULT 0,   -- and the connections among which they were
    drip_at     BIGINT                       -- of a storm that calmed down: when more of its notices go out
);
CREATE INDEX holds_active ON holds (since) WHERE state <> 'ended';
CREATE UNIQUE INDEX one_storm_a_source ON holds (source)
    WHERE kind = 'storm' AND state <> 'ended' AND source IS NOT NULL;
CREATE UNIQUE INDEX one_storm_of_all ON holds (kind) WHERE kind = 'storm' AND state <> 'ended' AND source IS NULL;
CREATE INDEX holds_of_member ON holds (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX notices_held ON notices (member_id) WHERE state = 'held';
