-- Old rows are deleted. The database permits it for transitions and audit rows that are older than a time, which the purge
-- sets in its unit of work. The last transition of a connection stays as long as the connection.
CREATE TABLE purge (
    id                 INTEGER PRIMARY KEY CHECK (id = 1),
    seen_at            INTEGER NOT NULL,   -- when a run began, or was put off
    replayable_since   INTEGER,            -- since when a replay finds everything; null: nothing was deleted
    transitions_before INTEGER,            -- null: none may be deleted
    audit_before       INTEGER
) STRICT;

DROP TRIGGER transitions_are_never_deleted;
CREATE TRIGGER transitions_are_never_deleted BEFORE DELETE ON transitions
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.member_id = OLD.member_id)
    AND NOT (EXISTS (SELECT 1 FROM purge WHERE OLD.observed_at < purge.transitions_before)
        AND (EXISTS (SELECT 1 FROM transitions t WHERE t.member_id = OLD.member_id
                AND t.connection_id = OLD.connection_id AND t.transition_id > OLD.transition_id)
            OR NOT EXISTS (SELECT 1 FROM connections k
                WHERE k.member_id = OLD.member_id AND k.connection_id = OLD.connection_id)))
BEGIN
    SELECT RAISE(ABORT, 'transitions are append-only');
END;

DROP TRIGGER audit_is_never_deleted;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM purge WHERE OLD.at < purge.audit_before)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE INDEX members_removed ON members (member_id) WHERE removed_at IS NOT NULL;
CREATE INDEX connections_deleted ON connections (member_id, connection_id) WHERE status = 'DELETED';
CREATE INDEX links_handed_over ON links (expires_at) WHERE notice_id IS NULL;
