-- The latest view by anyone, and the first view or press by a person.
ALTER TABLE links RENAME COLUMN looked_at TO last_viewed_at;
ALTER TABLE links RENAME COLUMN opened_at TO first_opened_at;
