-- Who opens links and presses their buttons, as far as the server can tell: counts that name no member.
CREATE TABLE visits (
    day    INTEGER NOT NULL,            -- its first instant, UTC
    domain TEXT    NOT NULL,            -- of the members' addresses, in lower case
    act    TEXT    NOT NULL CHECK (act IN ('look', 'press')),
    who    TEXT    NOT NULL CHECK (who IN ('machine', 'person')),
    visits INTEGER NOT NULL,
    PRIMARY KEY (day, domain, act, who)
) STRICT;
CREATE INDEX visits_of_domain ON visits (domain);

-- When a link was last looked at by anyone, and first opened by a person.
ALTER TABLE links ADD COLUMN looked_at INTEGER;
ALTER TABLE links ADD COLUMN opened_at INTEGER;
ALTER TABLE invitations ADD COLUMN looked_at INTEGER;

-- The funnel counts the lapses of some weeks.
CREATE INDEX lapses_by_opening ON lapses (opened_at) WHERE opened_at IS NOT NULL;
