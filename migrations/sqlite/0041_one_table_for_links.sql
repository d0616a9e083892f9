-- Each link has a row, whether it came with a notice or is an invitation that an operator hands over. The invitations
-- lose what belongs to a link. SQLite cannot relax a constraint: the tables are built anew.
CREATE TABLE new_invitations (
    invitation_id TEXT    NOT NULL PRIMARY KEY,
    member_id     TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    connection_id TEXT    NOT NULL,     -- the member may not have this connection yet
    name          TEXT    NOT NULL,
    source_type   TEXT,
    notice_id     TEXT    UNIQUE REFERENCES notices ON DELETE CASCADE,  -- null: the operator hands the link over
    created_at    INTEGER NOT NULL,
    resends       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE new_links (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('notice', 'invitation')),
    notice_id  TEXT    REFERENCES notices ON DELETE CASCADE,            -- null: the operator hands the link over
    member_id  TEXT    NOT NULL REFERENCES members ON DELETE CASCADE,
    attempt    INTEGER,                                                 -- of the notice
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    looked_at  INTEGER,
    opened_at  INTEGER,
    CHECK ((notice_id IS NULL) = (attempt IS NULL)),
    CHECK (kind = 'invitation' OR notice_id IS NOT NULL)
) STRICT;
CREATE TABLE new_link_buttons (
    token_hash    BLOB    NOT NULL REFERENCES new_links ON DELETE CASCADE,
    connection_id TEXT    NOT NULL,
    lapse_id      TEXT    REFERENCES lapses ON DELETE CASCADE,
    invitation_id TEXT    REFERENCES new_invitations ON DELETE CASCADE,
    redemptions   INTEGER NOT NULL DEFAULT 0,
    redeemed_at   INTEGER,
    superseded    INTEGER NOT NULL DEFAULT 0,   -- 1: the connection has recovered since the email
    PRIMARY KEY (token_hash, connection_id),
    CHECK ((lapse_id IS NULL) <> (invitation_id IS NULL))
) STRICT;

INSERT INTO new_invitations
    SELECT invitation_id, member_id, connection_id, name, source_type, notice_id, created_at, resends FROM invitations;
INSERT INTO new_links
    SELECT k.token_hash, CASE WHEN n.kind = 'invited' THEN 'invitation' ELSE 'notice' END, k.notice_id, k.member_id,
           k.attempt, k.created_at, k.expires_at, k.looked_at, k.opened_at
    FROM links k JOIN notices n ON n.notice_id = k.notice_id;
INSERT INTO new_links
    SELECT token_hash, 'invitation', NULL, member_id, NULL, created_at, expires_at, looked_at, NULL
    FROM invitations WHERE token_hash IS NOT NULL;
INSERT INTO new_link_buttons
    SELECT token_hash, connection_id, lapse_id, NULL, redemptions, redeemed_at, outlived FROM link_buttons;
INSERT INTO new_link_buttons
    SELECT k.token_hash, i.connection_id, NULL, i.invitation_id, i.redemptions, i.redeemed_at, 0
    FROM invitations i JOIN new_links k ON k.token_hash = i.token_hash OR k.notice_id = i.notice_id;

DROP TABLE link_buttons;
DROP TABLE links;
DROP TABLE invitations;
ALTER TABLE new_invitations RENAME TO invitations;
ALTER TABLE new_links RENAME TO links;
ALTER TABLE new_link_buttons RENAME TO link_buttons;
CREATE INDEX invitations_of_connection ON invitations (member_id, connection_id);
CREATE INDEX links_of_notice ON links (notice_id) WHERE notice_id IS NOT NULL;
CREATE INDEX links_of_member ON links (member_id);
CREATE INDEX link_buttons_of_lapse ON link_buttons (lapse_id) WHERE lapse_id IS NOT NULL;
CREATE INDEX link_buttons_of_invitation ON link_buttons (invitation_id) WHERE invitation_id IS NOT NULL;
