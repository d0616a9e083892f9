//! What a report says, or why it cannot be read.

use crate::domain::{AddressHash, Suppression};
use std::collections::BTreeSet;

/// More than a provider puts into one report.
const MAX_ADDRESSES: usize = 100;

/// The addresses that must get no more email, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) reason: Suppression,
    pub(crate) addresses: BTreeSet<AddressHash>,
}

impl Report {
    /// `None` when it names no address that a member can have.
    pub(super) fn new(
        reason: Suppression,
        addresses: impl IntoIterator<Item = Option<AddressHash>>,
    ) -> Result<Option<Self>, InvalidReport> {
        let addresses: BTreeSet<_> = addresses.into_iter().flatten().collect();
        if addresses.len() > MAX_ADDRESSES {
            return Err(InvalidReport::TooManyAddresses);
        }
        Ok((!addresses.is_empty()).then_some(Self { reason, addresses }))
    }
}

/// Quotes nothing of the report, which names addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidReport {
    #[error("not valid JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("{field} is missing")]
    Missing { field: String },
    #[error("{field} has the wrong type")]
    WrongType { field: String },
    #[error("{field}: {problem}")]
    InvalidValue { field: &'static str, problem: String },
    #[error("not a message of SNS; turn raw message delivery off in the subscription")]
    RawMessage,
    #[error("Message of SNS: {0}")]
    InMessage(Box<InvalidReport>),
    #[error("names more than {MAX_ADDRESSES} addresses")]
    TooManyAddresses,
}

impl InvalidReport {
    pub(super) fn missing(field: &str) -> Self {
        Self::Missing { field: field.to_owned() }
    }
}
