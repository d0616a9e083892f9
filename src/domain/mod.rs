//! The vocabulary that the stages share. No I/O; depends on no other module.

mod access;
mod audit;
mod bot_detection;
mod change;
mod connection;
mod email_address;
mod history;
mod hold;
mod ids;
mod lapse;
mod link;
mod link_request;
mod locale;
mod mailbox;
mod mask;
mod member;
mod member_edit;
mod notice;
mod notice_reason;
mod outbox_event;
mod past;
mod planning;
mod printable;
mod quiet_hours;
mod retention;
mod secret;
mod sns;
mod source;
mod storm;
mod suppression;
mod text_enum;
mod time;
mod transition;
mod unreachable;

pub use access::{Actor, Scope, TokenDigest};
pub use audit::{AuditAction, AuditEntry, AuditRecord};
pub(crate) use bot_detection::{MIN_PRESS_DELAY, classify_client};
pub use change::{
    Change, ChangeReason, ConnectionState, Decision, LapseChange, LapseFields, Missing, stored_ids,
    turned_empty,
};
pub use connection::{Connection, Listing, Status, SyncStatus, sync_error_code};
pub use email_address::{EmailAddress, InvalidAddress};
#[cfg(test)]
pub(crate) use history::HistoryKind;
pub(crate) use history::{DecisionSubject, Event, HistoryCode, HistoryEntry, LapseEvent};
pub use hold::{ActiveHold, HoldKind, HoldScope, HoldState};
pub use ids::{
    ConnectionId, EventId, HoldId, InstanceId, LapseId, MemberId, NoticeId, SweepId, TransitionId,
};
pub use lapse::{DisconnectKind, Lapse, LapseState, Outcome};
pub use link::{Button, LinkRecord};
pub(crate) use link::{Outlook, SNOOZE, Snooze};
pub(crate) use link_request::{Client, EmailStatus, LinkAction, LinkRequest, RequestSignals};
pub use locale::{InvalidLocale, Locale};
pub use mailbox::Mailbox;
pub(crate) use mask::mask;
pub use member::{CredentialRules, CredentialState, Member};
pub use member_edit::{Edit, MemberEdit};
pub use notice::{Notice, NoticeItem, NoticeKind, NoticeState};
pub use notice_reason::NoticeReason;
pub use outbox_event::{EventState, EventType, EventTypes, ListedEvent};
pub(crate) use past::{
    NoticeFate, PastHeld, PastHold, PastItem, PastLapse, PastMember, PastNotice, PastOpenings, PastSweep,
    SharedPast,
};
pub use planning::{AddressInput, GateVerdict, Passing, PlanningInput};
pub(crate) use planning::{
    LapseInput, LastNotice, PastEmail, PlannedDecision, PlannedNotice, PlanningOutput, Recipient,
    RecoveredInput, WaitingNotice,
};
pub use printable::{printable, visible_name};
pub(crate) use quiet_hours::{QuietHours, Spread};
pub(crate) use retention::Horizons;
pub use retention::Retention;
pub use secret::{
    AccessToken, Fingerprint, FormKey, FormKeyHash, LinkToken, NewCredential, OauthUrl, RefreshToken,
    ResumeToken, Sealed, TokenHash, UsedCredential,
};
pub(crate) use sns::{SubscribeUrl, TopicArn};
pub use source::{Category, IntegrationType, Repair, Source, SourceType};
pub use storm::{SourceLapses, StormPolicy, has_calmed};
pub use suppression::{AddressHash, Suppression};
pub use time::Time;
pub use transition::{Cause, Transition};
pub(crate) use unreachable::Reachability;
pub use unreachable::UnreachableReason;
