-- Nothing reads the number of polls made.
ALTER TABLE rechecks DROP COLUMN done;
