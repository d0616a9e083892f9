-- Members with an open lapse whom nobody tells anymore.
CREATE TABLE unreachable_members (
    member_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    reason    TEXT COLLATE "C" NOT NULL,
    since     BIGINT NOT NULL
);

-- The planner finds those who are.
UPDATE lapses SET plan_at = 0 WHERE state = 'open' AND plan_at IS NULL;
