//! The rows of all reports: what the commands print as JSON, the admin API returns, and the dashboard shows.

mod audit;
mod connections;
mod disclosures;
mod events;
mod holds;
mod import;
mod lapses;
mod links;
mod members;
mod notices;
mod replay;
mod sources;
mod status;
mod suppressions;
mod time;
mod transitions;
mod why;

pub(crate) use audit::AuditRow;
pub(crate) use connections::{ConnectionRow, OperationRow};
pub(crate) use disclosures::{DisclosureRow, DisclosureWhat, disclosure_rows};
pub(crate) use events::{EventRow, RetriedEventRow, TestedEventRow};
pub(crate) use holds::{HoldRow, ReleasedHoldRow, TakenHoldRow, drip_minutes};
pub(crate) use import::{ImportErrorRow, ImportedRow};
pub(crate) use lapses::LapseRow;
pub(crate) use links::{LinkActivityRow, RevokedLinksRow};
pub(crate) use members::{AddedMemberRow, MemberRow, PauseRow, RemovedMemberRow, RetriedMemberRow};
pub(crate) use notices::{AttemptRow, NoticeRow, RetriedNoticeRow};
pub(crate) use replay::ReplayedRow;
pub(crate) use sources::SourceRow;
pub(crate) use status::{FunnelRow, InstanceRow, StatusRow};
pub(crate) use suppressions::{RemovedSuppressionRow, SuppressionRow};
pub(crate) use time::{optional_time, time};
pub(crate) use transitions::TransitionRow;
pub(crate) use why::WhyRow;
