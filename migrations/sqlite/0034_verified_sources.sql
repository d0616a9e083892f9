-- For which member a source's reconnect URL was last fetched with success: a failure that only others have is not theirs.
CREATE TABLE verified_sources (
    source      TEXT    NOT NULL PRIMARY KEY,  -- the connection id in lower case
    member_id   TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    verified_at INTEGER NOT NULL
) STRICT;
CREATE INDEX verified_sources_of_member ON verified_sources (member_id);
