-- The hash of the form's key of the latest redemption: the same form sent twice redeems once. A signed cookie replaces the
-- passes, which let a browser press its button again.
ALTER TABLE link_buttons ADD COLUMN last_form_key BLOB;
DROP TABLE passes;
