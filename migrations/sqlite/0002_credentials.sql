-- What a member's access token is got with, sealed under the key ring.
CREATE TABLE credentials (
    member_id      TEXT    NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    key_id         TEXT    NOT NULL,
    sealed         BLOB    NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- Access tokens for as long as they live, sealed likewise.
CREATE TABLE access_tokens (
    member_id  TEXT    NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    key_id     TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    renew_at   INTEGER NOT NULL          -- a little before it expires
) STRICT;

-- One renewal at a time for a member, in this process and beside it.
CREATE TABLE renewals (
    member_id   TEXT    NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    leased_until INTEGER NOT NULL
) STRICT;

-- Members for whom no token can be had: the exceptions, each with a time of its own.
CREATE TABLE credential_failures (
    member_id TEXT    NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    state     TEXT    NOT NULL CHECK (state IN ('rejected', 'missing')),
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    failures  INTEGER NOT NULL,
    retry_at  INTEGER NOT NULL
) STRICT;
