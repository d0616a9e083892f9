-- Every change of a status, as observed. Append-only, and the database itself holds that.
CREATE TABLE transitions (
    transition_id TEXT    NOT NULL PRIMARY KEY,
    member_id     TEXT    NOT NULL REFERENCES members,
    connection_id TEXT    NOT NULL,
    from_status   TEXT,
    to_status     TEXT    NOT NULL,
    observed_at   INTEGER NOT NULL,
    cause         TEXT    NOT NULL,
    reason        TEXT    NOT NULL
) STRICT;
CREATE INDEX transitions_of_member ON transitions (member_id, connection_id, transition_id);
CREATE INDEX transitions_by_time ON transitions (observed_at);

-- Members who ask to be forgotten: named here within the transaction that forgets them, and nowhere after it.
CREATE TABLE erasures (
    member_id TEXT NOT NULL PRIMARY KEY
) STRICT;

CREATE TRIGGER transitions_are_never_changed BEFORE UPDATE ON transitions
BEGIN
    SELECT RAISE(ABORT, 'transitions are append-only');
END;
-- INSERT OR REPLACE would delete without a word to the trigger below.
CREATE TRIGGER transitions_are_never_replaced BEFORE INSERT ON transitions
WHEN EXISTS (SELECT 1 FROM transitions WHERE transitions.transition_id = NEW.transition_id)
BEGIN
    SELECT RAISE(ABORT, 'transitions are append-only');
END;
CREATE TRIGGER transitions_are_never_deleted BEFORE DELETE ON transitions
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE erasures.member_id = OLD.member_id)
BEGIN
    SELECT RAISE(ABORT, 'transitions are append-only');
END;
