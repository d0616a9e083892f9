-- The notice that a member had lost, or found too old, when they asked for this one.
ALTER TABLE notices ADD COLUMN resend_of TEXT REFERENCES notices ON DELETE SET NULL;
CREATE INDEX notices_resent ON notices (resend_of) WHERE resend_of IS NOT NULL;
