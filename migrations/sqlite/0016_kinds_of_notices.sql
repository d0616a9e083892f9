-- What a notice is for: to have connections repaired, to invite to one, or to say that some work again.
ALTER TABLE notices ADD COLUMN kind TEXT NOT NULL DEFAULT 'reconnect'
    CHECK (kind IN ('reconnect', 'invited', 'recovered'));
UPDATE notices SET kind = 'invited' WHERE notice_id IN (SELECT notice_id FROM invitations);
