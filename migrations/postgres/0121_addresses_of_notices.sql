-- The address that an email went to, or is being handed over for. The minimum gap and the monthly cap count by it.
ALTER TABLE notices ADD COLUMN address_hash BYTEA;
UPDATE notices SET address_hash = (SELECT m.address_hash FROM members m WHERE m.member_id = notices.member_id)
WHERE state = 'sent';
CREATE INDEX notices_by_address ON notices (address_hash) WHERE address_hash IS NOT NULL;
