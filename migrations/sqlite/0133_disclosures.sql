-- How much an email disclosed: notices.disclosure when it was handed over. Null: by an earlier version, or not yet.
ALTER TABLE notices ADD COLUMN disclosure TEXT CHECK (disclosure IN ('generic', 'kind', 'name'));
