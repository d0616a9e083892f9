-- What lets the browser that redeemed a link press its button again for a few minutes. A pass names its link by the hash
-- of the token, for links that an operator hands on are not among the links.
CREATE TABLE passes (
    pass_hash     BLOB    NOT NULL PRIMARY KEY,
    token_hash    BLOB    NOT NULL,
    connection_id TEXT    NOT NULL,
    member_id     TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    until         INTEGER NOT NULL
) STRICT;
CREATE INDEX passes_of_link ON passes (token_hash);
CREATE INDEX passes_of_member ON passes (member_id);
CREATE INDEX passes_by_end ON passes (until);

-- How many new mails were asked for with an invitation's link.
ALTER TABLE invitations ADD COLUMN resends INTEGER NOT NULL DEFAULT 0;
