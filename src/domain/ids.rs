//! Identifiers. Others name members and connections; everything else has a UUID (version 7).

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is: ids may hold any characters.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )+};
}

text_id! {
    /// A member's id, chosen by the operator.
    MemberId,
    /// A data source's id at the gateway (its slug). With a [`MemberId`], it identifies a connection.
    ConnectionId,
    /// A period in which a connection needs its member.
    LapseId,
    /// One email to one member.
    NoticeId,
    /// One sweep over the members.
    SweepId,
    /// One recorded change of status.
    TransitionId,
    /// One running daemon.
    InstanceId,
    /// One order not to send email.
    HoldId,
    /// One event for the operator's own systems.
    EventId,
}

impl ConnectionId {
    /// The id in lower case (ASCII). Two spellings of one id may differ in case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether both name the same connection.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
