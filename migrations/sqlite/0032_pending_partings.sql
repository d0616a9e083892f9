-- The operator's act that dismissed a lapse, until the gateway's list has shown its effect.
ALTER TABLE lapses ADD COLUMN parting TEXT CHECK (parting IN ('disconnect', 'delete'));
CREATE INDEX lapses_parting ON lapses (member_id) WHERE parting IS NOT NULL;
