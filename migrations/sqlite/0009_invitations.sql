-- What an operator asked a member to connect, whether there is a lapse or not. A mailed one's link is among the links,
-- by its notice; one that the operator hands on keeps the hash of its token here.
CREATE TABLE invitations (
    invitation_id TEXT    NOT NULL PRIMARY KEY,
    member_id     TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id TEXT    NOT NULL,     -- its source may have no row among the connections yet
    name          TEXT    NOT NULL,
    source_type   TEXT,
    notice_id     TEXT    UNIQUE REFERENCES notices ON DELETE CASCADE,
    token_hash    BLOB    UNIQUE,
    expires_at    INTEGER,              -- of the link that is handed on
    created_at    INTEGER NOT NULL,
    redemptions   INTEGER NOT NULL DEFAULT 0,
    redeemed_at   INTEGER,
    CHECK ((notice_id IS NULL) <> (token_hash IS NULL)),
    CHECK ((token_hash IS NULL) = (expires_at IS NULL))
) STRICT;
CREATE INDEX invitations_of_connection ON invitations (member_id, connection_id);
