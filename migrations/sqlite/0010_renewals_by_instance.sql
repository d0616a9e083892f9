-- Whether the one instance that works on this database holds it. When the next one takes over, the former is gone, and
-- so is its renewal; a command's that runs beside it is not.
ALTER TABLE renewals ADD COLUMN by_instance INTEGER NOT NULL DEFAULT 0;
