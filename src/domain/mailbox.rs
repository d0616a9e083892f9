//! A sender or reply address, with a display name.

use super::EmailAddress;
use std::str::FromStr;

/// `Name <address>` or an address alone (RFC 5322, section 3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub(crate) name: Option<String>,
    pub(crate) address: EmailAddress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an email address; write \"Name <name@domain>\"")]
pub struct InvalidMailbox;

impl FromStr for Mailbox {
    type Err = InvalidMailbox;

    /// Needs no quotes around a name, even with a comma in it. Rejects everything that could split a header.
    fn from_str(text: &str) -> Result<Self, InvalidMailbox> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(InvalidMailbox);
        }
        let (name, address) = match text.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<').ok_or(InvalidMailbox)?,
            None => ("", text),
        };
        if name.contains(['<', '>']) {
            return Err(InvalidMailbox);
        }
        let address: EmailAddress = address.parse().map_err(|_| InvalidMailbox)?;
        let name = unquote(name.trim()).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { name: (!name.is_empty()).then_some(name), address })
    }
}

/// The value of a quoted string (RFC 5322, section 3.2.4); any other text unchanged.
fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut characters = inner.chars();
    let mut out = String::new();
    while let Some(c) = characters.next() {
        out.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_an_address_with_an_optional_name() {
        for (text, name) in [
            ("a@b.example", None),
            ("<a@b.example>", None),
            ("A  B <a@b.example>", Some("A B")),
            ("\"B, A\" <a@b.example>", Some("B, A")),
            ("B, A <a@b.example>", Some("B, A")),
        ] {
            let mailbox: Mailbox = text.parse().unwrap();
            assert_eq!((mailbox.name.as_deref(), mailbox.address.expose()), (name, "a@b.example"), "{text}");
        }
        for text in [
            "",
            "A B",
            "A <a>",
            "a@b.example>",
            "A <a@b.example",
            "A\r\nBcc: <a@b.example>",
            "A <b> <a@b.example>",
            "a..b@b.example",
        ] {
            assert_eq!(text.parse::<Mailbox>(), Err(InvalidMailbox), "{text:?}");
        }
    }
}
