-- Mails: planned, under way, done.
CREATE TABLE notices (
    notice_id    TEXT    NOT NULL PRIMARY KEY,
    member_id    TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    step         INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'held', 'abandoned', 'cancelled')),
    reason       TEXT    NOT NULL,      -- why it stands where it stands
    planned_at   INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER,
    sent_at      INTEGER
) STRICT;
CREATE INDEX notices_due ON notices (not_before) WHERE state = 'queued';
CREATE INDEX notices_leased ON notices (leased_until) WHERE state = 'sending';
CREATE INDEX notices_of_member ON notices (member_id, notice_id);

-- What a notice says of each lapse. While it is live, a step of a lapse belongs to one notice.
CREATE TABLE notice_items (
    notice_id     TEXT    NOT NULL REFERENCES notices ON DELETE CASCADE,
    lapse_id      TEXT    NOT NULL REFERENCES lapses ON DELETE CASCADE,
    connection_id TEXT    NOT NULL,
    step          INTEGER NOT NULL,
    live          INTEGER NOT NULL DEFAULT 1,   -- 0: taken out before it was sent
    PRIMARY KEY (notice_id, lapse_id)
) STRICT;
CREATE UNIQUE INDEX each_step_is_planned_once ON notice_items (lapse_id, step) WHERE live = 1;

CREATE TABLE attempts (
    notice_id   TEXT    NOT NULL REFERENCES notices ON DELETE CASCADE,
    attempt     INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,                -- null: under way, or cut off
    outcome     TEXT,                   -- sent, retry, waiting, abandoned, unconfirmed, cancelled, interrupted
    detail      TEXT,
    PRIMARY KEY (notice_id, attempt)
) STRICT;
