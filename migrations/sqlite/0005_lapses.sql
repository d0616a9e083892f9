-- The spans in which a connection needs its member.
CREATE TABLE lapses (
    lapse_id      TEXT    NOT NULL PRIMARY KEY,
    member_id     TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('suspected', 'open', 'closed')),
    outcome       TEXT    CHECK (outcome IN ('recovered', 'removed', 'dismissed')),
    suspected_at  INTEGER NOT NULL,
    sightings     INTEGER NOT NULL,
    opened_at     INTEGER,
    closed_at     INTEGER,
    plan_at       INTEGER,              -- when the planner has to look at it next; null when there is nothing to do
    CHECK (state <> 'closed' OR (outcome IS NOT NULL AND closed_at IS NOT NULL)),
    CHECK (state <> 'open' OR opened_at IS NOT NULL),
    FOREIGN KEY (member_id, connection_id) REFERENCES connections
) STRICT;
CREATE UNIQUE INDEX one_live_lapse_a_connection ON lapses (member_id, connection_id) WHERE state <> 'closed';
CREATE INDEX lapses_of_connection ON lapses (member_id, connection_id, lapse_id);
CREATE INDEX lapses_to_plan ON lapses (plan_at) WHERE plan_at IS NOT NULL;
CREATE INDEX lapses_live ON lapses (state) WHERE state <> 'closed';
