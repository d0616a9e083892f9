-- Events for the operator's own systems, written in the unit of work of what they tell. The events of a member are sent one
-- after another: only the first that is not delivered has a time, and an index allows no other.
CREATE TABLE events (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id     TEXT    NOT NULL UNIQUE,
    type         TEXT    NOT NULL,
    member_id    TEXT    NOT NULL,           -- empty: about no member
    data         TEXT    NOT NULL,           -- a JSON object
    state        TEXT    NOT NULL CHECK (state IN ('queued', 'sending', 'delivered', 'failed')),
    created_at   INTEGER NOT NULL,
    retry_until  INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      INTEGER,                    -- null: it is not its turn, or it has ended
    leased_until INTEGER,
    holder       TEXT,
    delivered_at INTEGER,
    failed_at    INTEGER,
    last_error   TEXT                        -- the reason code of the last failed attempt
) STRICT;
CREATE UNIQUE INDEX events_in_turn ON events (member_id) WHERE next_at IS NOT NULL;
CREATE INDEX events_of_member ON events (member_id, sequence);
CREATE INDEX events_due ON events (next_at) WHERE state = 'queued';
CREATE INDEX events_undelivered ON events (state, sequence) WHERE state <> 'delivered';
CREATE INDEX events_delivered ON events (delivered_at) WHERE state = 'delivered';
