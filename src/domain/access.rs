//! The rights of tokens for the admin API and the dashboard, and the actors that the audit names.

use super::text_enum::string_enum;
use aws_lc_rs::{constant_time, digest};
use std::fmt;

/// What a token permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Read,
    /// Includes reading.
    Write,
}

string_enum!(pub Scope { Read = "read", Write = "write" });

/// The one who did something, for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A command, by the name of the user who ran it.
    Command(String),
    /// The API or the dashboard, by the name of the token.
    Token(String),
    /// A message of b.well.
    Gateway,
}

/// As the audit shows it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(user) => write!(f, "command:{user}"),
            Self::Token(name) => write!(f, "token:{name}"),
            Self::Gateway => write!(f, "gateway"),
        }
    }
}

/// The SHA-256 digest of an admin token. The token itself has 256 random bits, so the digest is no secret.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(crate) fn of(token: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits: Vec<u8> = text.chars().map_while(|c| Some(c.to_digit(16)? as u8)).collect();
        if text.len() != 64 || digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Self(bytes))
    }
}

/// In constant time.
impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// In hexadecimal digits.
impl fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_tokens_have_different_digests() {
        assert_eq!(TokenDigest::of(b"abc"), TokenDigest::of(b"abc"));
        assert_ne!(TokenDigest::of(b"abc"), TokenDigest::of(b"abd"));
    }

    #[test]
    fn a_digest_is_read_from_its_hexadecimal_digits_in_either_case() {
        // NIST's test vector for "abc".
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenDigest::of(b"abc").to_string(), text);
        for text in [text, &text.to_uppercase()] {
            assert_eq!(TokenDigest::from_hex(text), Some(TokenDigest::of(b"abc")));
        }
        for wrong in ["", &text[1..], &format!("{text}0"), &text.replace('b', "g"), &"é".repeat(32)] {
            assert_eq!(TokenDigest::from_hex(wrong), None, "{wrong}");
        }
    }
}
