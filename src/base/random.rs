//! The only source of random numbers: ids and tokens.

use crate::domain::{FormKey, LinkToken, Time};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::{LazyLock, Mutex};
use uuid::{ContextV7, Timestamp, Uuid};

static ORDER: LazyLock<Mutex<ContextV7>> = LazyLock::new(|| Mutex::new(ContextV7::new()));

/// A fresh id that sorts after those made before it (UUID version 7, RFC 9562).
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub(crate) fn id(now: Time) -> String {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&*ORDER, seconds, now.timestamp_subsec_nanos())).to_string()
}

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give, which leaves nothing safe to do.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A fresh link token of 256 bits.
pub fn link_token() -> LinkToken {
    LinkToken::new(URL_SAFE_NO_PAD.encode(bytes::<32>()))
}

/// A fresh form key of 256 bits.
pub(crate) fn form_key() -> FormKey {
    FormKey::new(URL_SAFE_NO_PAD.encode(bytes::<32>()))
}

/// A number from 0 up to 1, for jitter.
pub fn jitter() -> f64 {
    f64::from(u32::from_be_bytes(bytes())) / (f64::from(u32::MAX) + 1.0)
}
