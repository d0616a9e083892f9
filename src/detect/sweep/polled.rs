use super::outcome::PollOutcome;
use crate::domain::MemberId;
use crate::store::SweepPage;

/// A member's outcome, with their place in the sweep.
#[derive(Debug)]
pub(super) struct Polled {
    pub(super) member: MemberId,
    pub(super) poll_key: i64,
    /// `None` in a run over chosen members.
    pub(super) page: Option<SweepPage>,
    /// The reason code that the member's row has.
    pub(super) was_unclear: Option<String>,
    pub(super) outcome: PollOutcome,
}
