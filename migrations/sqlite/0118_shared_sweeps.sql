-- A sweep is handed out in pages, so that several instances take part in it.
ALTER TABLE sweeps ADD COLUMN scheduled_at INTEGER;                           -- the tick of the schedule; null: none
ALTER TABLE sweeps ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;               -- handed out so far
ALTER TABLE sweeps ADD COLUMN handed_out INTEGER;                             -- the last poll key handed out
ALTER TABLE sweeps ADD COLUMN handed_out_wrapped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweeps ADD COLUMN is_handed_out INTEGER NOT NULL DEFAULT 0;       -- nobody is left
CREATE UNIQUE INDEX sweeps_by_schedule ON sweeps (scheduled_at);
CREATE INDEX sweeps_open ON sweeps (sequence) WHERE finished_at IS NULL;
-- An interrupted sweep of an earlier version continues behind its checkpoint.
UPDATE sweeps SET handed_out = position, handed_out_wrapped = wrapped, position = NULL, wrapped = 0
    WHERE finished_at IS NULL;

-- Pages that are not done yet.
CREATE TABLE sweep_pages (
    sweep_id  TEXT    NOT NULL REFERENCES sweeps (sweep_id) ON DELETE CASCADE,
    page      INTEGER NOT NULL,            -- counted from 1, in the order of the sweep
    after_key INTEGER,                     -- the members behind this poll key; null: from the lowest
    until_key INTEGER NOT NULL,            -- the last poll key of the page
    wrapped   INTEGER NOT NULL,            -- whether the sweep had passed the highest poll key
    holder    TEXT,                        -- the instance that polls it; null: nobody does
    PRIMARY KEY (sweep_id, page)
) STRICT, WITHOUT ROWID;
