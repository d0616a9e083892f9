//! What can be in the way of a page.

use crate::domain::MemberId;
use crate::store::StoreError;
use axum::http::StatusCode;

#[derive(Debug)]
pub(super) enum PageError {
    /// No token is configured.
    NoTokens,
    /// `here`: the path to return to.
    LogIn {
        here: String,
    },
    /// A link of another site led here.
    Arrived {
        here: String,
    },
    /// The token may only read.
    ReadOnly,
    /// The form is not from a page of this session.
    ForeignForm,
    BadRequest(&'static str),
    NoSuchPage,
    NoSuchMember(MemberId),
    NoSuchHold,
    Store(StoreError),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl PageError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoTokens | Self::ReadOnly | Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::LogIn { .. } => StatusCode::SEE_OTHER,
            Self::Arrived { .. } => StatusCode::OK,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NoSuchPage | Self::NoSuchMember(_) | Self::NoSuchHold => StatusCode::NOT_FOUND,
            Self::Store(StoreError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The heading and the text.
    pub(super) fn words(&self) -> (&'static str, String) {
        match self {
            Self::NoTokens => ("The dashboard is closed", crate::web::admin::access::NO_TOKENS.to_owned()),
            Self::LogIn { .. } => ("Log in", String::new()),
            Self::Arrived { .. } => ("One moment", "The page opens by itself.".to_owned()),
            Self::ReadOnly => {
                ("Not permitted", "Your token may only read. Log in with one of scope \"write\".".to_owned())
            }
            Self::ForeignForm => (
                "Nothing was changed",
                "The form is not from a page of this session. Open the page again, and repeat it.".to_owned(),
            ),
            Self::BadRequest(text) => ("That cannot be read", (*text).to_owned()),
            Self::NoSuchPage => ("There is no such page", "The views are above.".to_owned()),
            Self::NoSuchMember(member) => ("There is no such member", format!("Nobody has the id {member}.")),
            Self::NoSuchHold => {
                ("There is no such hold", "It may have ended. The list shows the holds.".to_owned())
            }
            Self::Store(StoreError::Busy) => {
                ("The database is busy", "Nothing was changed. Try again in a few seconds.".to_owned())
            }
            Self::Store(error) => {
                ("The database failed", format!("Reason: {}. The log has the error.", error.code()))
            }
        }
    }
}
