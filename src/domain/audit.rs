//! What operators did, and by which means.

use super::ids::MemberId;
use super::text_enum::string_enum;
use super::time::Time;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    MemberImport,
    MemberAdd,
    MemberPause,
    MemberResume,
    MemberRetry,
    MemberRemove,
    MemberErase,
    LinksRevoke,
    ConnectionEstablish,
    ConnectionDisconnect,
    ConnectionReconnect,
    ConnectionDelete,
    HoldAdd,
    HoldTake,
    HoldRelease,
    SuppressAdd,
    SuppressRemove,
    NoticeRetry,
    KeyRotate,
    /// A key was rotated out.
    KeyRetire,
    EventRetry,
    /// A copy of the database was begun.
    Backup,
    /// This database was put in place from a backup.
    Restore,
    /// Data of members was read through the API or the dashboard.
    Read,
    /// Somebody logged in to the dashboard.
    Login,
}

string_enum!(pub AuditAction {
    MemberImport = "member_import",
    MemberAdd = "member_add",
    MemberPause = "member_pause",
    MemberResume = "member_resume",
    MemberRetry = "member_retry",
    MemberRemove = "member_remove",
    MemberErase = "member_erase",
    LinksRevoke = "links_revoke",
    ConnectionEstablish = "connection_establish",
    ConnectionDisconnect = "connection_disconnect",
    ConnectionReconnect = "connection_reconnect",
    ConnectionDelete = "connection_delete",
    HoldAdd = "hold_add",
    HoldTake = "hold_take",
    HoldRelease = "hold_release",
    SuppressAdd = "suppress_add",
    SuppressRemove = "suppress_remove",
    NoticeRetry = "notice_retry",
    KeyRotate = "key_rotate",
    KeyRetire = "key_retire",
    EventRetry = "event_retry",
    Backup = "backup",
    Restore = "restore",
    Read = "read",
    Login = "login",
});

/// Something to record.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry<'a> {
    pub(crate) action: AuditAction,
    pub(crate) member: Option<&'a MemberId>,
    pub(crate) target: Option<&'a str>,
    pub(crate) affected: Option<u64>,
}

impl<'a> AuditEntry<'a> {
    pub fn new(action: AuditAction) -> Self {
        Self { action, member: None, target: None, affected: None }
    }

    pub fn about(self, member: impl Into<Option<&'a MemberId>>) -> Self {
        Self { member: member.into(), ..self }
    }

    /// The id of the hold, notice, event, or connection, the name of the resource that was read, or the path of the backup.
    /// Never an address or a secret.
    pub fn target(self, target: impl Into<Option<&'a str>>) -> Self {
        Self { target: target.into(), ..self }
    }

    /// How many rows were changed or read.
    pub fn affected(self, rows: u64) -> Self {
        Self { affected: Some(rows), ..self }
    }
}

/// A row of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub id: String,
    pub at: Time,
    /// `command:<user>`, `token:<name>`, or `gateway`.
    pub actor: String,
    /// See [`AuditAction`].
    pub action: String,
    /// `erased:` and a keyed hash, for a member who was erased.
    pub member_id: Option<String>,
    pub target: Option<String>,
    pub affected: Option<u64>,
}
