-- Reasons of notices that something other than the planner requests or cancels.
UPDATE notices SET reason = CASE reason
        WHEN 'asked_for' THEN 'resend'
        WHEN 'operator' THEN 'invitation'
        WHEN 'retried' THEN 'retry_requested'
        WHEN 'withdrawn' THEN 'invitation_withdrawn'
        ELSE 'lapse_closed'
    END
WHERE reason IN ('asked_for', 'operator', 'retried', 'withdrawn', 'closed');
-- 'recovered' now only means that a recovery cancelled the notice.
UPDATE notices SET reason = 'recovery_notice' WHERE reason = 'recovered' AND kind = 'recovered';
