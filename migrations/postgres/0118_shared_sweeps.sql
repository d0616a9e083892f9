-- A sweep is handed out in pages, so that several instances take part in it.
ALTER TABLE sweeps ADD COLUMN scheduled_at BIGINT;                            -- the tick of the schedule; null: none
ALTER TABLE sweeps ADD COLUMN pages BIGINT NOT NULL DEFAULT 0;                -- handed out so far
ALTER TABLE sweeps ADD COLUMN handed_out BIGINT;                              -- the last poll key handed out
ALTER TABLE sweeps ADD COLUMN handed_out_wrapped BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sweeps ADD COLUMN is_handed_out BOOLEAN NOT NULL DEFAULT FALSE;   -- nobody is left
CREATE UNIQUE INDEX sweeps_by_schedule ON sweeps (scheduled_at);
CREATE INDEX sweeps_open ON sweeps (sequence) WHERE finished_at IS NULL;
-- An interrupted sweep of an earlier version continues behind its checkpoint.
UPDATE sweeps SET handed_out = position, handed_out_wrapped = wrapped, position = NULL, wrapped = FALSE
    WHERE finished_at IS NULL;

-- Pages that are not done yet.
CREATE TABLE sweep_pages (
    sweep_id  TEXT    COLLATE "C" NOT NULL REFERENCES sweeps (sweep_id) ON DELETE CASCADE,
    page      BIGINT  NOT NULL,            -- counted from 1, in the order of the sweep
    after_key BIGINT,                      -- the members behind this poll key; null: from the lowest
    until_key BIGINT  NOT NULL,            -- the last poll key of the page
    wrapped   BOOLEAN NOT NULL,            -- whether the sweep had passed the highest poll key
    holder    TEXT    COLLATE "C",         -- the instance that polls it; null: nobody does
    PRIMARY KEY (sweep_id, page)
);
