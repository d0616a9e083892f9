-- What operators did, and what they read through the API and the dashboard. Append-only: only the id of a member who is
-- being erased is replaced.
CREATE TABLE audit (
    audit_id  TEXT    NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    actor     TEXT    NOT NULL,      -- command:<user> or token:<name>
    action    TEXT    NOT NULL,
    member_id TEXT,                  -- no reference: the row outlives its member
    target    TEXT,                  -- the id of a hold, notice, event, or connection, or what was read
    affected  INTEGER                -- rows
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_of_member ON audit (member_id, audit_id) WHERE member_id IS NOT NULL;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.member_id = OLD.member_id)
    OR NEW.member_id NOT LIKE 'erased:%' OR NEW.audit_id <> OLD.audit_id OR NEW.at <> OLD.at OR NEW.actor <> OLD.actor
    OR NEW.action <> OLD.action OR NEW.target IS NOT OLD.target OR NEW.affected IS NOT OLD.affected
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
-- INSERT OR REPLACE would delete without a word to the trigger below.
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE audit.audit_id = NEW.audit_id)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
