-- One-time links, by the hash of their token.
CREATE TABLE links (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    notice_id  TEXT    NOT NULL REFERENCES notices ON DELETE CASCADE,
    member_id  TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX links_of_notice ON links (notice_id);

-- One button a connection; a redemption spends it.
CREATE TABLE link_buttons (
    token_hash    BLOB    NOT NULL REFERENCES links ON DELETE CASCADE,
    connection_id TEXT    NOT NULL,
    lapse_id      TEXT    NOT NULL REFERENCES lapses ON DELETE CASCADE,
    redemptions   INTEGER NOT NULL DEFAULT 0,
    redeemed_at   INTEGER,
    PRIMARY KEY (token_hash, connection_id)
) STRICT;
