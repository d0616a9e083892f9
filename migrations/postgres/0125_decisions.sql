-- Why something was sent or not sent. Equal decisions in a row about one lapse share a row.
CREATE TABLE decisions (
    decision_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    member_id     TEXT COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id TEXT COLLATE "C",
    lapse_id      TEXT COLLATE "C" REFERENCES lapses ON DELETE CASCADE,
    notice_id     TEXT COLLATE "C" REFERENCES notices ON DELETE SET NULL,
    what          TEXT COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C" NOT NULL,
    not_before    BIGINT,             -- when it is decided again; null: when a fact changes
    at            BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    count         BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX decisions_of_member ON decisions (member_id, decision_id);
CREATE INDEX decisions_of_lapse ON decisions (lapse_id, decision_id) WHERE lapse_id IS NOT NULL;
CREATE INDEX decisions_of_notice ON decisions (notice_id) WHERE notice_id IS NOT NULL;
CREATE INDEX decisions_by_time ON decisions (last_at);
