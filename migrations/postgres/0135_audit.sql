-- What operators did, and what they read through the API and the dashboard. Append-only: only the id of a member who is
-- being erased is replaced.
CREATE TABLE audit (
    audit_id  TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    actor     TEXT   COLLATE "C" NOT NULL,      -- command:<user> or token:<name>
    action    TEXT   COLLATE "C" NOT NULL,
    member_id TEXT   COLLATE "C",               -- no reference: the row outlives its member
    target    TEXT   COLLATE "C",               -- the id of a hold, notice, event, or connection, or what was read
    affected  BIGINT                            -- rows
);
CREATE INDEX audit_of_member ON audit (member_id, audit_id) WHERE member_id IS NOT NULL;

CREATE FUNCTION refuse_changed_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END $$;
CREATE FUNCTION permit_erased_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM erasures WHERE erasures.member_id = OLD.member_id)
        AND NEW.member_id LIKE 'erased:%' AND NEW.audit_id = OLD.audit_id AND NEW.at = OLD.at AND NEW.actor = OLD.actor
        AND NEW.action = OLD.action AND NEW.target IS NOT DISTINCT FROM OLD.target
        AND NEW.affected IS NOT DISTINCT FROM OLD.affected THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit is append-only';
END $$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION permit_erased_audit();
-- TRUNCATE fires no trigger of a row.
CREATE TRIGGER audit_is_never_replaced BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_changed_audit();
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_changed_audit();
