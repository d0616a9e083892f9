-- The tables, as SQLite's migrations up to this number make them. Times are milliseconds since the Unix epoch. Texts
-- compare byte by byte, as they do in SQLite.

CREATE TABLE members (
    member_id       TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    email           TEXT    COLLATE "C" NOT NULL,   -- emptied when the member is removed
    locale          TEXT    COLLATE "C",
    time_zone       TEXT    COLLATE "C",
    subject         TEXT    COLLATE "C" NOT NULL,
    paused_at       BIGINT,
    removed_at      BIGINT,
    response_digest BYTEA,                          -- of the gateway's last response
    answered_at     BIGINT,                         -- the request of the response that last changed anything
    added_at        BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    address_hash    BYTEA,
    poll_key        BIGINT,
    domain          TEXT    COLLATE "C" NOT NULL DEFAULT '',
    label           TEXT    COLLATE "C"             -- distinguishes members who share an address
);
CREATE INDEX members_by_address ON members (address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX members_to_poll ON members (poll_key) WHERE removed_at IS NULL AND paused_at IS NULL;
CREATE INDEX members_unhashed ON members (member_id) WHERE address_hash IS NULL AND email <> '';
CREATE INDEX members_without_poll_key ON members (member_id) WHERE poll_key IS NULL;

CREATE TABLE credentials (
    member_id     TEXT   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    key_id        TEXT   COLLATE "C" NOT NULL,
    sealed        BYTEA  NOT NULL,
    updated_at    BIGINT NOT NULL,
    imported_key  TEXT   COLLATE "C",
    imported_hash BYTEA
);
CREATE INDEX credentials_by_key ON credentials (key_id);

CREATE TABLE access_tokens (
    member_id  TEXT   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    key_id     TEXT   COLLATE "C" NOT NULL,
    sealed     BYTEA  NOT NULL,
    refresh_at BIGINT NOT NULL                      -- a little before it expires
);

CREATE TABLE token_refresh_leases (
    member_id      TEXT    COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    leased_until   BIGINT  NOT NULL,
    held_by_daemon BOOLEAN NOT NULL DEFAULT FALSE,
    owner          TEXT    COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE token_subjects (
    member_id TEXT  COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    key_id    TEXT  COLLATE "C" NOT NULL,
    hash      BYTEA NOT NULL
);

CREATE TABLE credential_failures (
    member_id TEXT   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    state     TEXT   COLLATE "C" NOT NULL CHECK (state IN ('rejected', 'missing')),
    reason    TEXT   COLLATE "C" NOT NULL,
    since     BIGINT NOT NULL,
    failures  BIGINT NOT NULL,
    retry_at  BIGINT NOT NULL
);

CREATE TABLE unclear_members (
    member_id      TEXT   COLLATE "C" NOT NULL PRIMARY KEY REFERENCES members ON DELETE CASCADE,
    reason         TEXT   COLLATE "C" NOT NULL,
    since          BIGINT NOT NULL,
    last_answer_at BIGINT,                          -- null: there never was a usable response
    retry_at       BIGINT                           -- the gateway asked this member's calls to wait until then
);

CREATE TABLE connections (
    member_id            TEXT    COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id        TEXT    COLLATE "C" NOT NULL,
    name                 TEXT    COLLATE "C" NOT NULL,
    category             TEXT    COLLATE "C",
    source_type          TEXT    COLLATE "C",
    integration_type     TEXT    COLLATE "C",
    is_direct            BOOLEAN NOT NULL,
    status               TEXT    COLLATE "C",
    sync_status          TEXT    COLLATE "C",
    sync_errors          TEXT    COLLATE "C" NOT NULL,  -- a JSON array of codes
    first_seen_at        BIGINT  NOT NULL,
    changed_at           BIGINT  NOT NULL,
    missing_since        BIGINT,
    missing_observations BIGINT  NOT NULL DEFAULT 0,
    gateway_id           TEXT    COLLATE "C",           -- the gateway's latest spelling, where it differs in case
    PRIMARY KEY (member_id, connection_id)
);
CREATE INDEX connections_mismatched ON connections (member_id, connection_id)
    WHERE status IN ('CONNECTED', 'ERROR') AND instr(sync_errors, '"PERSON_MATCHING_ERROR"') > 0;
CREATE INDEX connections_missing ON connections (member_id) WHERE missing_since IS NOT NULL;

CREATE TABLE transitions (
    transition_id TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    member_id     TEXT   COLLATE "C" NOT NULL REFERENCES members,
    connection_id TEXT   COLLATE "C" NOT NULL,
    from_status   TEXT   COLLATE "C",
    to_status     TEXT   COLLATE "C" NOT NULL,
    observed_at   BIGINT NOT NULL,
    cause         TEXT   COLLATE "C" NOT NULL,
    reason        TEXT   COLLATE "C" NOT NULL
);
CREATE INDEX transitions_of_member ON transitions (member_id, connection_id, transition_id);
CREATE INDEX transitions_by_time ON transitions (observed_at);

-- Members whose history is being erased, within the transaction that does it.
CREATE TABLE erasures (
    member_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);

CREATE FUNCTION refuse_changed_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transitions are append-only';
END $$;
CREATE FUNCTION refuse_deleted_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM erasures WHERE erasures.member_id = OLD.member_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'transitions are append-only';
END $$;
CREATE TRIGGER transitions_are_never_changed BEFORE UPDATE ON transitions
    FOR EACH ROW EXECUTE FUNCTION refuse_changed_transition();
-- TRUNCATE fires no trigger of a row.
CREATE TRIGGER transitions_are_never_replaced BEFORE TRUNCATE ON transitions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_changed_transition();
CREATE TRIGGER transitions_are_never_deleted BEFORE DELETE ON transitions
    FOR EACH ROW EXECUTE FUNCTION refuse_deleted_transition();

CREATE TABLE lapses (
    lapse_id                 TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    member_id                TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id            TEXT   COLLATE "C" NOT NULL,
    state                    TEXT   COLLATE "C" NOT NULL CHECK (state IN ('suspected', 'open', 'closed')),
    outcome                  TEXT   COLLATE "C" CHECK (outcome IN ('recovered', 'removed', 'dismissed')),
    suspected_at             BIGINT NOT NULL,
    consecutive_observations BIGINT NOT NULL,
    opened_at                BIGINT,
    closed_at                BIGINT,
    plan_at                  BIGINT,                -- the planner's next look; null when there is nothing to do
    disconnect_intent        TEXT   COLLATE "C" CHECK (disconnect_intent IN ('disconnect', 'delete')),
    CHECK (state <> 'closed' OR (outcome IS NOT NULL AND closed_at IS NOT NULL)),
    CHECK (state <> 'open' OR opened_at IS NOT NULL),
    FOREIGN KEY (member_id, connection_id) REFERENCES connections
);
CREATE UNIQUE INDEX one_live_lapse_a_connection ON lapses (member_id, connection_id) WHERE state <> 'closed';
CREATE INDEX lapses_by_opening ON lapses (opened_at) WHERE opened_at IS NOT NULL;
CREATE INDEX lapses_of_connection ON lapses (member_id, connection_id, lapse_id);
CREATE INDEX lapses_open ON lapses (member_id) WHERE state = 'open';
CREATE INDEX lapses_to_plan ON lapses (plan_at) WHERE plan_at IS NOT NULL;
CREATE INDEX lapses_with_disconnect_intent ON lapses (member_id) WHERE disconnect_intent IS NOT NULL;

CREATE TABLE notices (
    notice_id             TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    member_id             TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    step                  BIGINT NOT NULL,
    state                 TEXT   COLLATE "C" NOT NULL
        CHECK (state IN ('queued', 'sending', 'sent', 'held', 'abandoned', 'cancelled')),
    reason                TEXT   COLLATE "C" NOT NULL,
    planned_at            BIGINT NOT NULL,
    not_before            BIGINT NOT NULL,
    attempts              BIGINT NOT NULL DEFAULT 0,
    leased_until          BIGINT,
    sent_at               BIGINT,
    resend_of             TEXT   COLLATE "C" REFERENCES notices ON DELETE SET NULL,
    kind                  TEXT   COLLATE "C" NOT NULL DEFAULT 'reconnect'
        CHECK (kind IN ('reconnect', 'invited', 'recovered')),
    attempts_before_retry BIGINT NOT NULL DEFAULT 0,
    domain                TEXT   COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX notices_due ON notices (not_before, domain) WHERE state = 'queued';
CREATE INDEX notices_leased ON notices (leased_until) WHERE state = 'sending';
CREATE INDEX notices_of_member ON notices (member_id, notice_id);
CREATE INDEX notices_resent ON notices (resend_of) WHERE resend_of IS NOT NULL;
CREATE INDEX notices_sent ON notices (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE notice_items (
    notice_id      TEXT    COLLATE "C" NOT NULL REFERENCES notices ON DELETE CASCADE,
    lapse_id       TEXT    COLLATE "C" NOT NULL REFERENCES lapses ON DELETE CASCADE,
    connection_id  TEXT    COLLATE "C" NOT NULL,
    step           BIGINT  NOT NULL,
    counts_as_step BOOLEAN NOT NULL DEFAULT TRUE,
    extra          BOOLEAN NOT NULL DEFAULT FALSE,  -- the one notice beyond its cadence that a resumed lapse gets
    in_email       BOOLEAN,                         -- whether the sent email included it; null: not sent, or unknown
    PRIMARY KEY (notice_id, lapse_id)
);
CREATE UNIQUE INDEX each_step_is_planned_once ON notice_items (lapse_id, step) WHERE counts_as_step = TRUE;
CREATE INDEX notice_items_of_lapse ON notice_items (lapse_id);

CREATE TABLE attempts (
    notice_id   TEXT   COLLATE "C" NOT NULL REFERENCES notices ON DELETE CASCADE,
    attempt     BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT,                             -- null: under way, or interrupted
    outcome     TEXT   COLLATE "C",
    detail      TEXT   COLLATE "C",
    count       BIGINT NOT NULL DEFAULT 1,          -- consecutive deferred attempts that the row stands for
    last_at     BIGINT,                             -- the start of the last of them; null: the row is one attempt
    reason      TEXT   COLLATE "C",
    PRIMARY KEY (notice_id, attempt)
);

CREATE TABLE invitations (
    invitation_id TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    member_id     TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id TEXT   COLLATE "C" NOT NULL,      -- the member may not have this connection yet
    name          TEXT   COLLATE "C" NOT NULL,
    source_type   TEXT   COLLATE "C",
    notice_id     TEXT   COLLATE "C" UNIQUE REFERENCES notices ON DELETE CASCADE,  -- null: the operator hands it over
    created_at    BIGINT NOT NULL,
    resends       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX invitations_of_connection ON invitations (member_id, connection_id);

CREATE TABLE links (
    token_hash      BYTEA  NOT NULL PRIMARY KEY,
    kind            TEXT   COLLATE "C" NOT NULL CHECK (kind IN ('notice', 'invitation')),
    notice_id       TEXT   COLLATE "C" REFERENCES notices ON DELETE CASCADE,       -- null: the operator hands it over
    member_id       TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    attempt         BIGINT,                         -- of the notice
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    last_viewed_at  BIGINT,
    first_opened_at BIGINT,
    address_hash    BYTEA,                          -- the link works while its member has this address
    revoked_at      BIGINT,
    CHECK ((notice_id IS NULL) = (attempt IS NULL)),
    CHECK (kind = 'invitation' OR notice_id IS NOT NULL)
);
CREATE INDEX links_of_member ON links (member_id);
CREATE INDEX links_of_notice ON links (notice_id) WHERE notice_id IS NOT NULL;

CREATE TABLE link_buttons (
    token_hash    BYTEA   NOT NULL REFERENCES links ON DELETE CASCADE,
    connection_id TEXT    COLLATE "C" NOT NULL,
    lapse_id      TEXT    COLLATE "C" REFERENCES lapses ON DELETE CASCADE,
    invitation_id TEXT    COLLATE "C" REFERENCES invitations ON DELETE CASCADE,
    redemptions   BIGINT  NOT NULL DEFAULT 0,
    redeemed_at   BIGINT,
    superseded    BOOLEAN NOT NULL DEFAULT FALSE,   -- the connection has recovered since the email
    last_form_key BYTEA,
    PRIMARY KEY (token_hash, connection_id),
    CHECK ((lapse_id IS NULL) <> (invitation_id IS NULL))
);
CREATE INDEX link_buttons_of_invitation ON link_buttons (invitation_id) WHERE invitation_id IS NOT NULL;
CREATE INDEX link_buttons_of_lapse ON link_buttons (lapse_id) WHERE lapse_id IS NOT NULL;

CREATE TABLE link_requests (
    day      BIGINT NOT NULL,                       -- its first instant, UTC
    domain   TEXT   COLLATE "C" NOT NULL,           -- of the members' email addresses, in lower case
    action   TEXT   COLLATE "C" NOT NULL CHECK (action IN ('view', 'press')),
    client   TEXT   COLLATE "C" NOT NULL CHECK (client IN ('bot', 'human')),
    requests BIGINT NOT NULL,
    PRIMARY KEY (day, domain, action, client)
);
CREATE INDEX link_requests_of_domain ON link_requests (domain);

CREATE TABLE rechecks (
    member_id TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    purpose   TEXT   COLLATE "C" NOT NULL CHECK (purpose IN ('redemption', 'suspicion')),
    due_at    BIGINT NOT NULL,
    since     BIGINT NOT NULL,
    PRIMARY KEY (member_id, purpose)
);
CREATE INDEX rechecks_in_turn ON rechecks (purpose, due_at);

CREATE TABLE sweeps (
    sequence            BIGINT  GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    sweep_id            TEXT    COLLATE "C" NOT NULL UNIQUE,
    started_at          BIGINT  NOT NULL,
    finished_at         BIGINT,
    members             BIGINT  NOT NULL DEFAULT 0,
    unclear             BIGINT  NOT NULL DEFAULT 0,
    transitions         BIGINT  NOT NULL DEFAULT 0,
    complete            BOOLEAN NOT NULL DEFAULT FALSE,
    ended_early_because TEXT    COLLATE "C",
    starts_after        BIGINT,
    position            BIGINT,
    wrapped             BOOLEAN NOT NULL DEFAULT FALSE,
    skipped             BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX sweeps_by_start ON sweeps (started_at);

CREATE TABLE suppressions (
    address_hash BYTEA  NOT NULL,
    reason       TEXT   COLLATE "C" NOT NULL CHECK (reason IN ('unsubscribed', 'operator')),
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (address_hash, reason)
);
CREATE INDEX suppressions_by_time ON suppressions (created_at, address_hash, reason);

CREATE TABLE unsubscribe_tokens (
    token_hash   BYTEA  NOT NULL PRIMARY KEY,
    notice_id    TEXT   COLLATE "C" NOT NULL REFERENCES notices ON DELETE CASCADE,
    member_id    TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    attempt      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    address_hash BYTEA                              -- the address that the email went to
);
CREATE INDEX unsubscribe_tokens_of_member ON unsubscribe_tokens (member_id);
CREATE INDEX unsubscribe_tokens_of_notice ON unsubscribe_tokens (notice_id);

CREATE TABLE verified_sources (
    source      TEXT   COLLATE "C" NOT NULL PRIMARY KEY,   -- the connection id in lower case
    member_id   TEXT   COLLATE "C" NOT NULL REFERENCES members ON DELETE CASCADE,
    verified_at BIGINT NOT NULL
);
CREATE INDEX verified_sources_of_member ON verified_sources (member_id);

CREATE TABLE sign_in_hosts (
    host          TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    first_seen_at BIGINT NOT NULL
);

CREATE TABLE imports (
    import_id  BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    started_at BIGINT NOT NULL,
    read_at    BIGINT                               -- the whole file was read without an error
);

CREATE TABLE import_rows (
    import_id     BIGINT NOT NULL REFERENCES imports,
    line          BIGINT NOT NULL,
    member_id     TEXT   COLLATE "C" NOT NULL,
    -- NULL keeps the stored value. An empty text clears it.
    email         TEXT   COLLATE "C",
    address_hash  BYTEA,
    domain        TEXT   COLLATE "C",
    locale        TEXT   COLLATE "C",
    time_zone     TEXT   COLLATE "C",
    subject       TEXT   COLLATE "C",
    label         TEXT   COLLATE "C",
    poll_key      BIGINT NOT NULL,
    -- The sealed credential, if the row brings a new one.
    key_id        TEXT   COLLATE "C",
    sealed        BYTEA,
    imported_key  TEXT   COLLATE "C",
    imported_hash BYTEA,
    PRIMARY KEY (import_id, line)
);

CREATE TABLE key_canaries (
    key_id TEXT  COLLATE "C" NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
);

CREATE TABLE planning_policy (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    policy TEXT   COLLATE "C" NOT NULL
);

CREATE TABLE write_probe (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    filler BYTEA NOT NULL
);
