//! A time that the daemon signed for a part of a link, such as one of its buttons, so that proofs need no stored state.
//!
//! The signature is an HMAC over the link, the part, and the time, under the key ring.

use crate::credentials::keyring::{Keyring, MacPurpose};
use crate::domain::{Time, TokenHash};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The time in milliseconds and its signature, separated by a dot. Each `purpose` has its own key. `None` when the key ring
/// is empty.
pub(super) fn sign(
    keyring: &Keyring,
    purpose: MacPurpose,
    link: TokenHash,
    part: &str,
    time: Time,
) -> Option<String> {
    let millis = time.timestamp_millis();
    let signature = keyring.sign(purpose, &signed_parts(&link, part, &millis.to_be_bytes()))?;
    Some(format!("{millis}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The time in a text that [`sign`] returned for the same purpose, link, and part. `None` for any other text.
pub(super) fn verify(
    keyring: &Keyring,
    purpose: MacPurpose,
    link: TokenHash,
    part: &str,
    text: &str,
) -> Option<Time> {
    let (millis, signature) = text.split_once('.')?;
    let millis = millis.parse::<i64>().ok()?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let is_valid = keyring.verify(purpose, &signed_parts(&link, part, &millis.to_be_bytes()), &signature);
    if is_valid { Time::from_timestamp_millis(millis) } else { None }
}

fn signed_parts<'a>(link: &'a TokenHash, part: &'a str, millis: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [&link.0, part.as_bytes(), millis]
}
