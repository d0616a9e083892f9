-- A notice that a gate defers is a row from then on. It is tentative until the planner decides that it goes out.
ALTER TABLE notices ADD COLUMN is_tentative INTEGER NOT NULL DEFAULT 0;
