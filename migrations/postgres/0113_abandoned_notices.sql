-- Notices whose steps a start, or a recovery, frees again.
CREATE INDEX notices_abandoned ON notices (reason) WHERE state = 'abandoned';
