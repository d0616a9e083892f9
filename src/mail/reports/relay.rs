//! Reports of the operator's own mail server.

use super::address::address_hash;
use super::json;
use super::report::{InvalidReport, Report};
use crate::domain::Suppression;
use serde::Deserialize;

#[derive(Deserialize)]
struct RelayReport {
    email: String,
    kind: String,
    /// Of a bounce.
    permanent: Option<bool>,
}

/// `None`: a bounce that is not permanent.
pub(crate) fn read_relay(body: &[u8]) -> Result<Option<Report>, InvalidReport> {
    let RelayReport { email, kind, permanent } = json::read(body)?;
    let invalid = |field, problem: &str| InvalidReport::InvalidValue { field, problem: problem.to_owned() };
    let address = address_hash(&email).ok_or_else(|| invalid("email", "not an email address"))?;
    let reason = match (kind.as_str(), permanent) {
        ("complaint", _) => Suppression::Complaint,
        ("bounce", Some(true)) => Suppression::HardBounce,
        ("bounce", Some(false)) => return Ok(None),
        ("bounce", None) => return Err(InvalidReport::missing("permanent")),
        _ => return Err(invalid("kind", "must be \"bounce\" or \"complaint\"")),
    };
    Report::new(reason, [Some(address)])
}
