-- The domain of a notice's recipient, in lower case: no domain may hold all connections to the mail server.
ALTER TABLE members ADD COLUMN domain TEXT NOT NULL DEFAULT '';
UPDATE members SET domain = lower(substr(email, length(rtrim(email, replace(email, '@', ''))) + 1)) WHERE email <> '';
ALTER TABLE notices ADD COLUMN domain TEXT NOT NULL DEFAULT '';
UPDATE notices SET domain = (SELECT m.domain FROM members m WHERE m.member_id = notices.member_id)
WHERE state IN ('queued', 'held', 'sending');
DROP INDEX notices_due;
CREATE INDEX notices_due ON notices (not_before, domain) WHERE state = 'queued';
