-- How much an email disclosed: notices.disclosure when it was handed over; 'event': the operator's receiver got the link instead.
-- Null: by an earlier version, or not yet.
ALTER TABLE notices ADD COLUMN disclosure TEXT COLLATE "C" CHECK (disclosure IN ('generic', 'kind', 'name', 'event'));
