-- The break that the button was for has ended in recovery: should its lapse be resumed, the link stays dead.
ALTER TABLE link_buttons ADD COLUMN outlived INTEGER NOT NULL DEFAULT 0;
