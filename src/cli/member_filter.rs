//! The option that narrows a list to one member.

use crate::domain::MemberId;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct MemberFilter {
    /// List only this member
    #[arg(long, value_name = "ID")]
    pub(super) member: Option<MemberId>,
}
