-- The policy under which the open lapses were last planned. A start under the same one plans nothing anew.
CREATE TABLE planning_policy (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    policy TEXT NOT NULL
) STRICT;
