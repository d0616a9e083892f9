-- Members without a usable response: the exceptions. Every other member's last usable response is as old as the last
-- sweep that covered them.
CREATE TABLE unclear_members (
    member_id      TEXT    NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    reason         TEXT    NOT NULL,
    since          INTEGER NOT NULL,
    last_answer_at INTEGER,             -- null: there never was a usable response
    retry_at       INTEGER              -- the gateway asked this member's calls to wait until then
) STRICT;
