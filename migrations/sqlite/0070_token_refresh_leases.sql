-- OAuth calls it a refresh: one at a time for a member, in this process and beside it.
ALTER TABLE renewals RENAME TO token_refresh_leases;
ALTER TABLE token_refresh_leases RENAME COLUMN by_instance TO held_by_daemon;
ALTER TABLE access_tokens RENAME COLUMN renew_at TO refresh_at;
