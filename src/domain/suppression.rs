//! Addresses that must not receive email.

use super::{EmailAddress, text_enum::string_enum};
use std::fmt;

/// The reason why an address must not receive email.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suppression {
    /// By its owner, who can resubscribe.
    Unsubscribed,
    /// By the operator. Only the operator can remove it, and those below.
    Operator,
    /// A mail server rejected the address permanently, or a report says so.
    HardBounce,
    /// Its owner marked an email as spam.
    Complaint,
}

string_enum!(pub Suppression {
    Unsubscribed = "unsubscribed",
    Operator = "operator",
    HardBounce = "hard_bounce",
    Complaint = "complaint",
});

/// The SHA-256 of an address's normal form. It hides the address, but anybody with the address can compute it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressHash(pub [u8; 32]);

impl fmt::Debug for AddressHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressHash(…)")
    }
}

impl EmailAddress {
    /// The hash under which a suppression of this address is kept and found.
    pub fn address_hash(&self) -> AddressHash {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.normal_form().as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        AddressHash(hash)
    }

    /// The domain in lower case, in its ASCII form (RFC 5891).
    pub(crate) fn ascii_domain(&self) -> String {
        let domain = self.expose().rsplit_once('@').map_or("", |(_, domain)| domain);
        url::Host::parse(domain).map_or_else(|_| domain.to_lowercase(), |host| host.to_string())
    }

    /// The same for every spelling of an address: lower case, the domain in its ASCII form (RFC 5891). Mail servers in
    /// practice ignore the case of local parts.
    fn normal_form(&self) -> String {
        let local = self.expose().rsplit_once('@').map_or(self.expose(), |(local, _)| local);
        format!("{}@{}", local.to_lowercase(), self.ascii_domain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(address: &str) -> AddressHash {
        address.parse::<EmailAddress>().unwrap().address_hash()
    }

    #[test]
    fn every_spelling_of_an_address_has_the_same_hash_and_every_other_address_another_one() {
        for spelling in [" Ada@Example.ORG ", "ADA@EXAMPLE.ORG", "ada@example.org"] {
            assert_eq!(hash(spelling), hash("ada@example.org"), "{spelling}");
        }
        assert_eq!(hash("José@EXÁMPLE.example"), hash("josé@xn--exmple-qta.example"));
        assert_eq!(hash("ada@local_host"), hash("ada@LOCAL_HOST"), "a domain that is none is kept");
        for other in ["ada@example.net", "ad.a@example.org", "ada+x@example.org"] {
            assert_ne!(hash(other), hash("ada@example.org"), "{other}");
        }
    }

    #[test]
    fn debug_output_of_a_hash_does_not_hold_it() {
        assert_eq!(format!("{:?}", hash("ada@example.org")), "AddressHash(…)");
    }
}
