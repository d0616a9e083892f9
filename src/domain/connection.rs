//! A member's link to one data source, as the gateway lists it.

use super::text_enum::open_string_enum;
use super::{ConnectionId, Source, Time};

open_string_enum! {
    /// The status of a connection, as the gateway reports it.
    Status {
        Connected = "CONNECTED",
        /// Disconnected by the member or by the source.
        Disconnected = "DISCONNECTED",
        /// The member's authorization expired.
        Expired = "EXPIRED",
        /// Removed at the gateway. Also recorded when a row is confirmed to be missing.
        Deleted = "DELETED",
        AccessEnded = "ACCESS_ENDED",
        /// The gateway cannot use the connection at the moment.
        Error = "ERROR",
    }
}

impl Status {
    /// Whether only the member can repair it: EXPIRED or DISCONNECTED.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Expired | Self::Disconnected)
    }
}

open_string_enum! {
    /// The gateway's progress in fetching the records.
    SyncStatus {
        Pending = "PENDING",
        Retrieving = "RETRIEVING",
        Retrieved = "RETRIEVED",
        Error = "ERROR",
        Deleting = "DELETING",
        DataDeleted = "DATA_DELETED",
    }
}

/// A connection as the gateway lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub source: Source,
    /// `None` when the gateway reports none.
    pub status: Option<Status>,
    pub sync_status: Option<SyncStatus>,
    /// Error codes from fetching, such as `PERSON_MATCHING_ERROR`.
    pub sync_errors: Vec<String>,
    /// When the gateway last fetched records. Not part of the digest: a fetch alone changes nothing.
    pub last_synced: Option<Time>,
}

/// One response to the list operation: the connections of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The rows that could be read, in the gateway's order. No id occurs twice.
    pub rows: Vec<Connection>,
    /// Ids of rows whose other values could not be read. Such a row is hidden, not missing.
    pub hidden: Vec<ConnectionId>,
    /// Whether some row's id could not be read: then any row that seems to be missing may be that one.
    pub hides_unknown: bool,
}

impl From<Vec<Connection>> for Listing {
    fn from(rows: Vec<Connection>) -> Self {
        Self { rows, ..Self::default() }
    }
}

/// The gateway's code for records that belong to another person.
const PERSON_MATCHING_ERROR: &str = "PERSON_MATCHING_ERROR";

/// The stored form of a sync error's code: trimmed, and a known code in its standard spelling.
pub fn sync_error_code(code: &str) -> String {
    let code = code.trim();
    if code.eq_ignore_ascii_case(PERSON_MATCHING_ERROR) { PERSON_MATCHING_ERROR.into() } else { code.into() }
}

impl Connection {
    /// Whether the records probably belong to another person: the member may have signed in with that person's account.
    /// The gateway lists such a connection as CONNECTED or as ERROR.
    pub fn is_person_mismatch(&self) -> bool {
        self.is_person_mismatch_as(self.status.as_ref())
    }

    /// [`Connection::is_person_mismatch`], if it had this status.
    pub(crate) fn is_person_mismatch_as(&self, status: Option<&Status>) -> bool {
        matches!(status, Some(Status::Connected | Status::Error))
            && self.sync_errors.iter().any(|code| code == PERSON_MATCHING_ERROR)
    }

    /// The row remains listed until the deletion is done.
    pub fn is_being_deleted(&self) -> bool {
        matches!(self.sync_status, Some(SyncStatus::Deleting | SyncStatus::DataDeleted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_gateway_is_known_in_any_case_and_between_spaces() {
        for (text, expected) in [
            ("EXPIRED", Status::Expired),
            (" expired ", Status::Expired),
            ("Access_Ended\n", Status::AccessEnded),
            (" On_Holiday ", Status::Unknown("On_Holiday".into())),
            ("EXPIRED!", Status::Unknown("EXPIRED!".into())),
            ("", Status::Unknown(String::new())),
        ] {
            assert_eq!(Status::from(text), expected, "{text:?}");
        }
        assert_eq!(sync_error_code(" person_matching_error"), PERSON_MATCHING_ERROR);
        assert_eq!(sync_error_code(" new_error "), "new_error");
    }
}
