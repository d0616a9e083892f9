-- Attempts up to this one count no more: an operator has asked to try anew.
ALTER TABLE notices ADD COLUMN fresh_after INTEGER NOT NULL DEFAULT 0;
