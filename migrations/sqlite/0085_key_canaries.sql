-- A known text, sealed with each key of the key ring that sealed anything: another key with the same id does not open it.
CREATE TABLE key_canaries (
    key_id TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
