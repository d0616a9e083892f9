-- The notices that are due, oldest first. What a person or an operator requested has no `due_at`.
CREATE INDEX notices_unsent ON notices (due_at, planned_at)
    WHERE state IN ('queued', 'sending') AND is_tentative = FALSE;
