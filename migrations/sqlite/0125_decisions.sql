-- Why something was sent or not sent. Equal decisions in a row about one lapse share a row.
CREATE TABLE decisions (
    decision_id   TEXT    NOT NULL PRIMARY KEY,
    member_id     TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id TEXT,
    lapse_id      TEXT    REFERENCES lapses ON DELETE CASCADE,
    notice_id     TEXT    REFERENCES notices ON DELETE SET NULL,
    what          TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    not_before    INTEGER,             -- when it is decided again; null: when a fact changes
    at            INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    count         INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX decisions_of_member ON decisions (member_id, decision_id);
CREATE INDEX decisions_of_lapse ON decisions (lapse_id, decision_id) WHERE lapse_id IS NOT NULL;
CREATE INDEX decisions_of_notice ON decisions (notice_id) WHERE notice_id IS NOT NULL;
CREATE INDEX decisions_by_time ON decisions (last_at);
