-- Bounces and complaints suppress addresses, too.
CREATE TABLE new_suppressions (
    address_hash BLOB    NOT NULL,
    reason       TEXT    NOT NULL CHECK (reason IN ('unsubscribed', 'operator', 'hard_bounce', 'complaint')),
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (address_hash, reason)
) STRICT;
INSERT INTO new_suppressions (address_hash, reason, created_at)
    SELECT address_hash, reason, created_at FROM suppressions;
DROP TABLE suppressions;
ALTER TABLE new_suppressions RENAME TO suppressions;
CREATE INDEX suppressions_by_time ON suppressions (created_at, address_hash, reason);
