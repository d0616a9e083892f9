-- What a member chose on a link's page: no reminder until then, or no email at all. Both can be undone there.
ALTER TABLE lapses ADD COLUMN snoozed_until INTEGER;
ALTER TABLE lapses ADD COLUMN dismissed_by_member INTEGER NOT NULL DEFAULT 0;   -- 1: a dismissal is the member's own
