-- The instance that holds a lease; null: a command, which holds none for long, or an earlier version. No foreign key: the leases
-- of a dead instance are released by those that are alive.
ALTER TABLE notices ADD COLUMN holder TEXT;
ALTER TABLE token_refresh_leases ADD COLUMN holder TEXT;
