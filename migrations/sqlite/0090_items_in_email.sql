-- Whether the sent email included the item; null: not sent, or unknown.
ALTER TABLE notice_items ADD COLUMN in_email INTEGER CHECK (in_email IN (0, 1));
UPDATE notice_items SET in_email = counts_as_step WHERE notice_id IN
    (SELECT notice_id FROM notices WHERE state = 'sent' AND kind = 'reconnect' AND resend_of IS NULL);
