-- Renames reason codes in recorded transitions, so that one code has one spelling. The table stays append-only.
DROP TRIGGER transitions_are_never_changed;
UPDATE transitions SET reason = CASE reason
        WHEN 'first_sight' THEN 'first_seen'
        WHEN 'still_suspected' THEN 'unconfirmed'
        WHEN 'dismissed_before' THEN 'previously_dismissed'
        WHEN 'vanished' THEN 'missing_from_list'
        WHEN 'parting_shown' THEN 'disconnect_observed' END
    WHERE reason IN ('first_sight', 'still_suspected', 'dismissed_before', 'vanished', 'parting_shown');
CREATE TRIGGER transitions_are_never_changed BEFORE UPDATE ON transitions
BEGIN
    SELECT RAISE(ABORT, 'transitions are append-only');
END;
