-- Columns, outcomes and reason codes of notices get the standard terms.
ALTER TABLE notices RENAME COLUMN fresh_after TO attempts_before_retry;
-- 0 also for the items of resends and of notices of recovery, which take no step of a lapse.
ALTER TABLE notice_items RENAME COLUMN live TO counts_as_step;

UPDATE attempts SET outcome = CASE outcome WHEN 'waiting' THEN 'deferred' ELSE 'unknown' END
WHERE outcome IN ('waiting', 'unconfirmed');

CREATE TEMPORARY TABLE renamed_reasons (old TEXT NOT NULL PRIMARY KEY, new TEXT NOT NULL);
INSERT INTO renamed_reasons (old, new) VALUES
    ('member_paused', 'paused'),
    ('no_token', 'token_unavailable'),
    ('way_unclear', 'oauth_url_unavailable'),
    ('no_way_to_reconnect', 'oauth_url_refused'),
    ('cannot_be_written', 'render_failed'),
    ('mail_setup_refused', 'smtp_misconfigured'),
    ('refused_for_now', 'transient_failure'),
    ('refused', 'permanent_failure'),
    ('too_many_attempts', 'attempts_exhausted'),
    ('unconfirmed', 'outcome_unknown');
UPDATE notices SET reason = (SELECT new FROM renamed_reasons WHERE old = reason)
WHERE reason IN (SELECT old FROM renamed_reasons);
UPDATE attempts SET reason = (SELECT new FROM renamed_reasons WHERE old = reason)
WHERE reason IN (SELECT old FROM renamed_reasons);
DROP TABLE renamed_reasons;
