-- Foreign keys and recoveries look these up by lapse and by member; the partial index over live items cannot serve them.
CREATE INDEX notice_items_of_lapse ON notice_items (lapse_id);
CREATE INDEX link_buttons_of_lapse ON link_buttons (lapse_id);
CREATE INDEX links_of_member ON links (member_id);
CREATE INDEX rechecks_in_turn ON rechecks (purpose, due_at);
DROP INDEX rechecks_due;
DROP INDEX lapses_live;
CREATE INDEX lapses_open ON lapses (member_id) WHERE state = 'open';
