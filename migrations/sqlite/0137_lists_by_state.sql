-- The lists of lapses and notices in one state, in pages.
CREATE INDEX lapses_live_by_state ON lapses (state, lapse_id) WHERE state <> 'closed';
CREATE INDEX notices_live_by_state ON notices (state, notice_id) WHERE state <> 'sent' AND state <> 'cancelled';
