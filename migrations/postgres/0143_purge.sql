-- Old rows are deleted. The database permits it for transitions and audit rows that are older than a time, which the purge
-- sets in its unit of work. The last transition of a connection stays as long as the connection.
CREATE TABLE purge (
    id                 BIGINT PRIMARY KEY CHECK (id = 1),
    seen_at            BIGINT NOT NULL,    -- when a run began, or was put off
    replayable_since   BIGINT,             -- since when a replay finds everything; null: nothing was deleted
    transitions_before BIGINT,             -- null: none may be deleted
    audit_before       BIGINT
);

CREATE OR REPLACE FUNCTION refuse_deleted_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM erasures WHERE erasures.member_id = OLD.member_id) THEN
        RETURN OLD;
    END IF;
    IF EXISTS (SELECT 1 FROM purge WHERE OLD.observed_at < purge.transitions_before)
        AND (EXISTS (SELECT 1 FROM transitions t WHERE t.member_id = OLD.member_id
                AND t.connection_id = OLD.connection_id AND t.transition_id > OLD.transition_id)
            OR NOT EXISTS (SELECT 1 FROM connections k
                WHERE k.member_id = OLD.member_id AND k.connection_id = OLD.connection_id)) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'transitions are append-only';
END $$;

CREATE FUNCTION refuse_deleted_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM purge WHERE OLD.at < purge.audit_before) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is append-only';
END $$;
DROP TRIGGER audit_is_never_deleted ON audit;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_deleted_audit();

CREATE INDEX members_removed ON members (member_id) WHERE removed_at IS NOT NULL;
CREATE INDEX connections_deleted ON connections (member_id, connection_id) WHERE status = 'DELETED';
CREATE INDEX links_handed_over ON links (expires_at) WHERE notice_id IS NULL;
