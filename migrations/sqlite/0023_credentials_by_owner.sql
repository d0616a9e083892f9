-- A keyed hash of the refresh token that was imported last: importing the same token again must not replace the one that
-- the gateway has rotated it to.
ALTER TABLE credentials ADD COLUMN imported_key TEXT;
ALTER TABLE credentials ADD COLUMN imported_hash BLOB;

-- Who holds a lease: one whose lease expired must not release its successor's.
ALTER TABLE renewals ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- A keyed hash of the subject of each member's first access token: a token for somebody else must never be used.
CREATE TABLE token_subjects (
    member_id TEXT NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    key_id    TEXT NOT NULL,
    hash      BLOB NOT NULL
) STRICT;
