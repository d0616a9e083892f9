-- Since when the planner could have decided to send it, for `replay`; null while a gate defers it.
ALTER TABLE notices ADD COLUMN due_at BIGINT;
