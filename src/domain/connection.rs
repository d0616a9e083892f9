//! A member's link to one data source, as the gateway lists it.

use super::text_enum::open_string_enum;
use super::{ConnectionId, Time};

open_string_enum! {
    /// How a connection stands.
    Status {
        /// Records flow.
        Connected = "CONNECTED",
        /// Cut, by the member or by the source.
        Disconnected = "DISCONNECTED",
        /// The member's authorisation ran out.
        Expired = "EXPIRED",
        /// Removed at the gateway. Also what we record when a row vanishes from the list.
        Deleted = "DELETED",
        /// The source ended the member's access.
        AccessEnded = "ACCESS_ENDED",
        /// The gateway's own trouble with this connection.
        Error = "ERROR",
    }
}

impl Status {
    /// Whether this status needs the member: EXPIRED or DISCONNECTED, and nothing else.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Expired | Self::Disconnected)
    }
}

open_string_enum! {
    /// How a member proves who they are to the source.
    Category {
        /// A user name and a password.
        Basic = "BASIC",
        /// A sign-in at the source.
        Oauth = "OAUTH",
        /// Proof of identity.
        Identity = "IDENTITY",
    }
}

open_string_enum! {
    /// What kind of source it is.
    SourceType {
        /// A provider of care.
        Clinical = "CLINICAL",
        /// A payer.
        Insurance = "INSURANCE",
        /// A laboratory.
        Lab = "LAB",
        /// A pharmacy.
        Pharmacy = "PHARMACY",
        /// One practitioner.
        Practitioner = "PRACTITIONER",
    }
}

open_string_enum! {
    /// How the gateway reaches the source.
    IntegrationType {
        /// Without the member's credentials.
        Direct = "DIRECT",
        /// Through the source's patient-access interface.
        Proa = "PROA",
        /// Directly, under individual access services.
        DirectIas = "DIRECT_IAS",
        /// Indirectly, under individual access services.
        IndirectIas = "INDIRECT_IAS",
        /// With identity assurance, level 2.
        Ial2 = "IAL2",
    }
}

open_string_enum! {
    /// How far the gateway has come with fetching the records.
    SyncStatus {
        /// Not begun.
        Pending = "PENDING",
        /// Under way.
        Retrieving = "RETRIEVING",
        /// Done.
        Retrieved = "RETRIEVED",
        /// Failed.
        Error = "ERROR",
        /// The data is being removed.
        Deleting = "DELETING",
        /// The data is gone.
        DataDeleted = "DATA_DELETED",
    }
}

/// What the gateway says of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The data source's slug.
    pub id: ConnectionId,
    /// The data source's name, in any script and of any length.
    pub name: String,
    /// How the member signs in there.
    pub category: Option<Category>,
    /// What kind of source it is.
    pub source_type: Option<SourceType>,
    /// How the gateway reaches it.
    pub integration_type: Option<IntegrationType>,
    /// Whether no credentials of the member's are needed.
    pub is_direct: bool,
    /// How it stands; `None` when the gateway does not say.
    pub status: Option<Status>,
    /// How far fetching has come.
    pub sync_status: Option<SyncStatus>,
    /// The codes of errors met while fetching, such as `PERSON_MATCHING_ERROR`.
    pub sync_errors: Vec<String>,
    /// When records last came.
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

/// The way in which a broken connection is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// The member signs in at the source, at a URL that the gateway makes.
    Oauth,
    /// The gateway re-activates it without credentials.
    Direct,
    /// The member enters credentials again, in the operator's app.
    App,
}

/// The gateway's code for records that belong to somebody else than the member.
const PERSON_MATCHING_ERROR: &str = "PERSON_MATCHING_ERROR";

/// The code of a sync error as it is kept: without surrounding whitespace, and a code that we know in its own spelling.
pub fn sync_error_code(code: &str) -> String {
    let code = code.trim();
    if code.eq_ignore_ascii_case(PERSON_MATCHING_ERROR) { PERSON_MATCHING_ERROR.into() } else { code.into() }
}

impl Connection {
    /// Whether the records probably belong to another person: the member may have signed in with that person's account.
    /// The gateway lists such a connection as CONNECTED or as ERROR.
    pub fn is_person_mismatch(&self) -> bool {
        matches!(self.status, Some(Status::Connected | Status::Error))
            && self.sync_errors.iter().any(|code| code == PERSON_MATCHING_ERROR)
    }

    /// Whether its records are being deleted: the row lingers until that is done.
    pub fn is_being_deleted(&self) -> bool {
        matches!(self.sync_status, Some(SyncStatus::Deleting | SyncStatus::DataDeleted))
    }

    /// How this connection is repaired. A connection that says too little about itself is an OAuth one only when its
    /// category says so, so that a reconnect URL is never asked for a kind that has none.
    pub fn repair(&self) -> Repair {
        let direct =
            matches!(self.integration_type, Some(IntegrationType::Direct | IntegrationType::DirectIas));
        if self.is_direct || direct {
            Repair::Direct
        } else if self.category == Some(Category::Oauth) {
            Repair::Oauth
        } else {
            Repair::App
        }
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
        assert_eq!(Category::from("oauth"), Category::Oauth);
        assert_eq!(sync_error_code(" person_matching_error"), PERSON_MATCHING_ERROR);
        assert_eq!(sync_error_code(" new_error "), "new_error");
    }
}
