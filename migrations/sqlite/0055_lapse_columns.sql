-- The number of consecutive responses that showed the connection broken.
ALTER TABLE lapses RENAME COLUMN sightings TO consecutive_observations;
-- The operator's command that dismissed a lapse, until the gateway's list has shown its effect.
ALTER TABLE lapses RENAME COLUMN parting TO disconnect_intent;
DROP INDEX lapses_parting;
CREATE INDEX lapses_with_disconnect_intent ON lapses (member_id) WHERE disconnect_intent IS NOT NULL;
