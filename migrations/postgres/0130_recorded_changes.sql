-- What `replay` needs beside the other tables: how the facts that the planner reads changed. Each row holds the facts from
-- its time on. A lapse has rows from its first confirmation on.
CREATE TABLE lapse_changes (
    lapse_id           TEXT COLLATE "C"    NOT NULL REFERENCES lapses ON DELETE CASCADE,
    change             BIGINT NOT NULL,    -- counts from 1
    member_id          TEXT COLLATE "C"    NOT NULL,
    at                 BIGINT NOT NULL,
    is_open            BOOLEAN NOT NULL,
    outcome            TEXT COLLATE "C",
    status             TEXT COLLATE "C",                -- of the connection
    is_missing         BOOLEAN NOT NULL,
    is_person_mismatch BOOLEAN NOT NULL,
    suspected_at       BIGINT NOT NULL,
    opened_at          BIGINT NOT NULL,
    last_opened_at     BIGINT NOT NULL,
    snoozed_until      BIGINT,
    PRIMARY KEY (lapse_id, change)
);
CREATE INDEX lapse_changes_of_member ON lapse_changes (member_id, at);
CREATE INDEX lapse_changes_by_time ON lapse_changes (at);

-- Of members who have had a lapse.
CREATE TABLE member_changes (
    member_id     TEXT COLLATE "C"    NOT NULL REFERENCES members ON DELETE CASCADE,
    change        BIGINT NOT NULL,         -- counts from 1
    at            BIGINT NOT NULL,
    address_hash  BYTEA,
    time_zone     TEXT COLLATE "C",
    is_paused     BOOLEAN NOT NULL,         -- or removed
    is_suppressed BOOLEAN NOT NULL,
    PRIMARY KEY (member_id, change)
);
CREATE INDEX member_changes_by_address ON member_changes (address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX member_changes_by_time ON member_changes (at);

-- A storm can calm down and flare up again.
CREATE TABLE storm_changes (
    hold_id TEXT COLLATE "C"    NOT NULL REFERENCES holds ON DELETE CASCADE,
    change  BIGINT NOT NULL,               -- counts from 1
    at      BIGINT NOT NULL,
    state   TEXT COLLATE "C"    NOT NULL,               -- its end is in `holds`
    PRIMARY KEY (hold_id, change)
);

-- The policy in force, as JSON.
CREATE TABLE policy_changes (
    change BIGINT NOT NULL PRIMARY KEY,    -- counts from 1
    at     BIGINT NOT NULL,
    policy TEXT COLLATE "C"    NOT NULL
);

-- When nothing was planned, such as while no daemon ran.
CREATE TABLE planner_pauses (
    until BIGINT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);

-- What is left of the past: the latest break of each lapse.
INSERT INTO lapse_changes (lapse_id, change, member_id, at, is_open, outcome, status, is_missing, is_person_mismatch,
    suspected_at, opened_at, last_opened_at, snoozed_until)
SELECT l.lapse_id, 1, l.member_id, l.last_opened_at, TRUE, NULL,
    CASE WHEN l.state = 'open' THEN k.status ELSE
        (SELECT t.to_status FROM transitions t WHERE t.member_id = l.member_id AND t.connection_id = l.connection_id
           AND t.observed_at <= l.last_opened_at ORDER BY t.transition_id DESC LIMIT 1) END,
    l.state = 'open' AND k.missing_since IS NOT NULL, FALSE, least(l.suspected_at, l.last_opened_at), l.opened_at,
    l.last_opened_at, CASE WHEN l.state = 'open' THEN l.snoozed_until END
FROM lapses l JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
WHERE l.last_opened_at IS NOT NULL AND l.opened_at IS NOT NULL;
INSERT INTO lapse_changes (lapse_id, change, member_id, at, is_open, outcome, status, is_missing, is_person_mismatch,
    suspected_at, opened_at, last_opened_at, snoozed_until)
SELECT l.lapse_id, 2, l.member_id, greatest(l.closed_at, l.last_opened_at), FALSE, l.outcome, k.status, FALSE, FALSE,
    least(l.suspected_at, l.last_opened_at), l.opened_at, l.last_opened_at, NULL
FROM lapses l JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
WHERE l.state <> 'open' AND l.closed_at IS NOT NULL AND l.last_opened_at IS NOT NULL AND l.opened_at IS NOT NULL;
INSERT INTO member_changes (member_id, change, at, address_hash, time_zone, is_paused, is_suppressed)
SELECT m.member_id, 1, 0, m.address_hash, m.time_zone, coalesce(m.paused_at, m.removed_at) IS NOT NULL,
    EXISTS (SELECT 1 FROM suppressions s WHERE s.address_hash = m.address_hash)
FROM members m WHERE EXISTS (SELECT 1 FROM lapse_changes c WHERE c.member_id = m.member_id);
INSERT INTO storm_changes (hold_id, change, at, state)
SELECT hold_id, 1, since, 'holding' FROM holds WHERE kind = 'storm';
INSERT INTO storm_changes (hold_id, change, at, state)
SELECT hold_id, 2, counted_until, 'dripping' FROM holds
WHERE kind = 'storm' AND counted_until >= since AND (ended_at IS NULL OR counted_until < ended_at);
