//! Addresses in the forms of RFC 5322.

use crate::domain::{AddressHash, EmailAddress};

/// `Name <address>`, `<address>`, `address (comment)`, or an address alone. `None`: no address that a member can have.
pub(super) fn address_hash(text: &str) -> Option<AddressHash> {
    let text = text.trim();
    let text = match text.strip_suffix(')') {
        Some(rest) => rest.rsplit_once('(')?.0.trim_end(),
        None => text,
    };
    let address = match text.strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?.1,
        None => text,
    };
    Some(address.parse::<EmailAddress>().ok()?.address_hash())
}
