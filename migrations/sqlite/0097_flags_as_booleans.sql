-- Statements compare flags with TRUE and FALSE, which SQLite does not match with a partial index over 1.
DROP INDEX each_step_is_planned_once;
CREATE UNIQUE INDEX each_step_is_planned_once ON notice_items (lapse_id, step) WHERE counts_as_step = TRUE;
