//! Email addresses.

use std::{fmt, net::IpAddr, str::FromStr};
use unicode_normalization::UnicodeNormalization;

/// RFC 5321, section 4.5.3.1.3: a path has 256 octets with its brackets.
const MAX_LENGTH: usize = 254;
/// RFC 5321, section 4.5.3.1.1.
const MAX_LOCAL_PART: usize = 64;
/// RFC 1035, section 2.3.4.
const MAX_LABEL: usize = 63;

/// An address that mail servers accept. Names in other scripts (RFC 6531) and quoted local parts are accepted; comments and
/// display names are not. `Debug` hides it from logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// Does not contain the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("not an email address; write name@domain")]
    NoAddress,
    #[error("an email address has at most {MAX_LENGTH} bytes")]
    TooLong,
    #[error("the part before the @ has at most {MAX_LOCAL_PART} bytes")]
    LocalPartTooLong,
    #[error("contains an invisible or a control character; type the address again")]
    Invisible,
    #[error("the part before the @ must not begin or end with a dot, or contain two in a row")]
    Dots,
    #[error("the part before the @ contains a character that an email address cannot contain")]
    LocalPart,
    #[error(
        "a quoted part before the @ must end with a quote and contain only ASCII without <, >, \\, and quotes"
    )]
    Quotes,
    #[error("the part after the @ is not a domain name")]
    Domain,
    #[error("write the address without \"mailto:\"")]
    Mailto,
}

impl EmailAddress {
    /// An address that an earlier version stored, perhaps under laxer rules.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// For the email itself and for the operator's own lists.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidAddress;

    /// Trims the text and composes its characters (NFC).
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let address: String = text.trim().nfc().collect();
        if address.len() > MAX_LENGTH {
            return Err(InvalidAddress::TooLong);
        }
        if address.chars().any(is_invisible) {
            return Err(InvalidAddress::Invisible);
        }
        let (local, domain) = address.rsplit_once('@').ok_or(InvalidAddress::NoAddress)?;
        check_local_part(local)?;
        check_domain(domain)?;
        Ok(Self(address))
    }
}

/// Control characters, and format characters that hide or reorder text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn check_local_part(local: &str) -> Result<(), InvalidAddress> {
    if local.is_empty() {
        return Err(InvalidAddress::NoAddress);
    }
    if local.len() > MAX_LOCAL_PART {
        return Err(InvalidAddress::LocalPartTooLong);
    }
    if let Some(quoted) = local.strip_prefix('"') {
        let inner = quoted.strip_suffix('"').filter(|inner| !inner.is_empty());
        let is_valid = inner.is_some_and(|inner| inner.is_ascii() && !inner.contains(['"', '\\', '<', '>']));
        return if is_valid { Ok(()) } else { Err(InvalidAddress::Quotes) };
    }
    if local.to_ascii_lowercase().starts_with("mailto:") {
        return Err(InvalidAddress::Mailto);
    }
    // RFC 5322, section 3.2.3, and RFC 6531.
    let is_atom_character = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    if !local.chars().all(|c| c == '.' || is_atom_character(c)) {
        return Err(InvalidAddress::LocalPart);
    }
    if local.split('.').any(str::is_empty) { Err(InvalidAddress::Dots) } else { Ok(()) }
}

fn check_domain(domain: &str) -> Result<(), InvalidAddress> {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = literal.strip_prefix("IPv6:").unwrap_or(literal);
        let is_valid = address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6() == literal.starts_with("IPv6:"));
        return if is_valid { Ok(()) } else { Err(InvalidAddress::Domain) };
    }
    let ascii = match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) => ascii,
        _ => return Err(InvalidAddress::Domain),
    };
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with(['-', '_'])
            && !label.ends_with(['-', '_'])
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if ascii.split('.').all(is_label) { Ok(()) } else { Err(InvalidAddress::Domain) }
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
    fn addresses_that_mail_servers_accept_are_accepted() {
        for good in [
            "a@b.example",
            "josé@exámple.example",
            "\"a b\"@b.example",
            "\"a@b\"@b.example",
            "a+b@localhost",
            "o'brien+tag@sub.example.org",
            "a@bücher.example",
            "a@xn--bcher-kva.example",
            "用户@例子.example",
            "a@[192.0.2.1]",
            "a@[IPv6:2001:db8::1]",
            "ada@local_host",
            "1@2.example",
            " a@b.example ",
        ] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
        let [local, label] = ["x".repeat(64), "x".repeat(63)];
        assert!(format!("{local}@{label}.example").parse::<EmailAddress>().is_ok());
        let longest =
            format!("a@{}", ["x".repeat(62), "x".repeat(62), "x".repeat(62), "x".repeat(63)].join("."));
        assert_eq!(longest.len(), MAX_LENGTH);
        assert!(longest.parse::<EmailAddress>().is_ok());
        assert_eq!("e\u{301}@example.org".parse::<EmailAddress>().unwrap().expose(), "é@example.org");
    }

    #[test]
    fn addresses_that_cannot_receive_email_are_rejected_with_the_reason() {
        use InvalidAddress::*;
        let [local, label] = ["x".repeat(65), "x".repeat(64)];
        let long = format!("a@{}example", "example.".repeat(40));
        for (bad, reason) in [
            ("", NoAddress),
            ("a", NoAddress),
            ("@b", NoAddress),
            ("a@", Domain),
            (&*format!("{local}@example.org"), LocalPartTooLong),
            (&*format!("a@{label}.example"), Domain),
            (&*long, TooLong),
            ("do..uble@example.org", Dots),
            (".lead@example.org", Dots),
            ("trail.@example.org", Dots),
            ("a@example-.org", Domain),
            ("a@-example.org", Domain),
            ("a@.b", Domain),
            ("a@b..c", Domain),
            ("a@b.", Domain),
            ("a@192.0.2.1", Domain),
            ("a@[192.0.2]", Domain),
            ("a@[2001:db8::1]", Domain),
            ("zero\u{200b}width@example.org", Invisible),
            ("a@exam\u{202e}ple.org", Invisible),
            ("a@b\r\nBcc: c@d", Invisible),
            ("a(comment)@example.org", LocalPart),
            ("a b@c", LocalPart),
            ("a\u{a0}b@c", LocalPart),
            ("a:b@c", LocalPart),
            ("a\\b@c", LocalPart),
            ("a@b@c", LocalPart),
            ("a@b,c@d", LocalPart),
            ("<a@b.example>", LocalPart),
            ("a@b.example (work)", Domain),
            ("mailto:a@example.org", Mailto),
            ("\"a> SIZE=9 RCPT TO:<x@y\"@b.example", Quotes),
            ("\"\"@b.example", Quotes),
            ("\"a@b.example", Quotes),
            ("\"a\"b\"@b.example", Quotes),
            ("\"é\"@b.example", Quotes),
            ("💌@b.example", LocalPart),
        ] {
            assert_eq!(bad.parse::<EmailAddress>(), Err(reason), "{bad:?}");
        }
    }

    #[test]
    fn debug_output_of_an_address_does_not_contain_it() {
        let address: EmailAddress = "alice@example.org".parse().unwrap();
        assert!(!format!("{address:?}").contains("alice"));
    }
}
