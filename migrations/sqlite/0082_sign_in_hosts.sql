-- The hosts that reconnect URLs led to, so that `check` can list them for gateway.oauth_hosts. Host names only.
CREATE TABLE sign_in_hosts (
    host TEXT NOT NULL PRIMARY KEY,
    first_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
