-- Addresses that get no mail, and who asked for that. Each is known by the hash of its normal form alone, and belongs to
-- no member: the list names nobody, and holds when a member is erased or comes back.
CREATE TABLE suppressions (
    address_hash BLOB    NOT NULL,
    reason       TEXT    NOT NULL CHECK (reason IN ('unsubscribed', 'operator')),
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (address_hash, reason)
) STRICT;
CREATE INDEX suppressions_by_time ON suppressions (created_at, address_hash, reason);

-- The hash of a member's present address. Null in rows that an earlier version wrote, until it is filled in at the next
-- start, and in those of members who were removed.
ALTER TABLE members ADD COLUMN address_hash BLOB;
CREATE INDEX members_by_address ON members (address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX members_unhashed ON members (member_id) WHERE address_hash IS NULL AND email <> '';

-- What a mail carries to stop the mails with, by the hash of the token. Good for as long as the member is enrolled.
CREATE TABLE unsubscribe_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    notice_id  TEXT    NOT NULL REFERENCES notices ON DELETE CASCADE,
    member_id  TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX unsubscribe_tokens_of_notice ON unsubscribe_tokens (notice_id);
CREATE INDEX unsubscribe_tokens_of_member ON unsubscribe_tokens (member_id);
