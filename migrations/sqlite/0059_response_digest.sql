-- A digest of the gateway's last response: an unchanged response costs no write.
ALTER TABLE members RENAME COLUMN answer_digest TO response_digest;
