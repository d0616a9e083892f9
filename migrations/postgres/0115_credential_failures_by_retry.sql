-- A credential that recovers brings the retries of others forward, for which it must not read those that are due soon.
CREATE INDEX credential_failures_by_retry ON credential_failures (retry_at);
