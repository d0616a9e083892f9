-- Counts the credentials that each key sealed.
CREATE INDEX credentials_by_key ON credentials (key_id);
