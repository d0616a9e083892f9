-- The gateway's latest spelling of a connection's id, where it differs from the first one in upper and lower case.
ALTER TABLE connections ADD COLUMN gateway_id TEXT;
