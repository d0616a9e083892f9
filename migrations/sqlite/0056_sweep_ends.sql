-- A reason code; null when the sweep ran to its end.
ALTER TABLE sweeps RENAME COLUMN stopped TO ended_early_because;
