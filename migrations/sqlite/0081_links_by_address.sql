-- A link works only while its member has the address that it was made for. Both may be null: an address without a hash.
ALTER TABLE links ADD COLUMN address_hash BLOB;
UPDATE links SET address_hash = (SELECT m.address_hash FROM members m WHERE m.member_id = links.member_id);
-- Set when an operator revoked the link.
ALTER TABLE links ADD COLUMN revoked_at INTEGER;
-- The address that the email went to: its owner unsubscribes this address, whatever address the member has now.
ALTER TABLE unsubscribe_tokens ADD COLUMN address_hash BLOB;
UPDATE unsubscribe_tokens
SET address_hash = (SELECT m.address_hash FROM members m WHERE m.member_id = unsubscribe_tokens.member_id);
