-- The people whose connections are watched.
CREATE TABLE members (
    member_id     TEXT    NOT NULL PRIMARY KEY,
    email         TEXT    NOT NULL,     -- emptied when the member is removed
    locale        TEXT,
    time_zone     TEXT,
    subject       TEXT    NOT NULL,
    paused_at     INTEGER,
    removed_at    INTEGER,
    answer_digest BLOB,                 -- of the gateway's last answer: the same again costs no write
    answered_at   INTEGER,              -- when the answer that last changed anything was asked for
    added_at      INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
