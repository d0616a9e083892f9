-- Whether mails are accepted at all is asked after each refusal.
CREATE INDEX notices_sent ON notices (sent_at) WHERE sent_at IS NOT NULL;
