//! Explains to an operator why a member gets emails, or does not, and what another policy would have sent.

mod fleet;
mod next_email;
mod replay;
mod sentences;
mod why;

pub(crate) use fleet::FUNNEL_DAYS;
pub use fleet::FleetReports;
pub use replay::{Replay, ReplayRow, Replayer, Summary, Totals};
pub use why::{Explained, Explainer, Explanation};
