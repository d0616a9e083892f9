-- What stays of the keys that were rotated out: the HMAC keys that were derived from them, sealed with a key of the ring.
CREATE TABLE former_keys (
    key_id      TEXT    NOT NULL PRIMARY KEY,
    position    INTEGER NOT NULL,       -- the oldest key has the smallest
    retired_at  INTEGER NOT NULL,
    sealed_with TEXT    NOT NULL,
    sealed      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- The key that an instance encrypts with. NULL: of a version that encrypts with the first one of `key_ids`.
ALTER TABLE instances ADD COLUMN sealing_key TEXT;

-- The SHA-256 digest of `sealed` before a rotation encrypted the same token again. A refresh under way knows those bytes.
ALTER TABLE credentials ADD COLUMN resealed_from BLOB;

-- Finds what a key sealed, in pages.
CREATE INDEX credentials_of_key ON credentials (key_id, member_id);
DROP INDEX credentials_by_key;
CREATE INDEX access_tokens_of_key ON access_tokens (key_id, member_id);
