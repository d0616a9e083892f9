//! A person enrolled by the operator.

use super::MemberId;
use chrono_tz::Tz;
use std::{fmt, str::FromStr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    pub email: EmailAddress,
    /// A BCP 47 tag such as `es` or `en-GB`; the configured default when `None`.
    pub locale: Option<String>,
    /// An IANA time zone; the configured default when `None`.
    pub time_zone: Option<Tz>,
    /// The member's identity at the identity provider. The import sets it; the default is the member id.
    pub subject: String,
    /// Whether the operator paused the member.
    pub paused: bool,
}

/// Whether the daemon can get an access token. This says nothing about connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// The last attempt succeeded, or there was none yet.
    Ok,
    /// The gateway rejected the credential.
    Rejected,
    /// There is no credential.
    Missing,
    /// No key in the key ring decrypts the stored credential.
    Locked,
}

impl CredentialState {
    /// The code in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Rejected => "rejected",
            Self::Missing => "missing",
            Self::Locked => "locked",
        }
    }
}

/// An email address. `Debug` hides it from logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// Does not contain the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an email address (expected name@domain, at most 254 bytes, no spaces or control characters)")]
pub struct InvalidAddress;

impl EmailAddress {
    /// For the email itself and for the operator's own lists.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAddress)?;
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '@');
        let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
        let local_ok = !local.is_empty()
            && !local.chars().any(|c| c.is_control())
            && (quoted || !local.contains(forbidden));
        let domain_ok = !domain.is_empty()
            && !domain.contains(forbidden)
            && !domain.starts_with(['.', '-'])
            && !domain.ends_with(['.', '-'])
            && !domain.contains("..");
        if local_ok && domain_ok && text.len() <= 254 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAddress)
        }
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_them_and_refused_when_it_could_split_a_header() {
        for good in ["a@b.example", "josé@exámple.example", "\"a b\"@b.example", "a+b@localhost"] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b\r\nBcc: c@d", "a b@c", "a@b@c", "a@.b", "a@b..c", "a@b,c@d"] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn debug_output_of_an_address_does_not_hold_it() {
        let address: EmailAddress = "alice@example.org".parse().unwrap();
        assert!(!format!("{address:?}").contains("alice"));
    }
}
