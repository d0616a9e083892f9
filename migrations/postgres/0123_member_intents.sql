-- What a member chose on a link's page: no reminder until then, or no email at all. Both can be undone there.
ALTER TABLE lapses ADD COLUMN snoozed_until BIGINT;
ALTER TABLE lapses ADD COLUMN dismissed_by_member BOOLEAN NOT NULL DEFAULT FALSE;   -- a dismissal is the member's own
