//! The only source of random numbers.

#[cfg(feature = "sim")]
mod seeded;

use crate::domain::{LinkToken, Time};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use std::sync::{LazyLock, Mutex};
use uuid::{ContextV7, Timestamp, Uuid};

#[cfg(feature = "sim")]
pub use seeded::{SeededThread, seeded};

static ORDER: LazyLock<Mutex<ContextV7>> = LazyLock::new(|| Mutex::new(ContextV7::new()));

/// A new id that sorts after earlier ones (UUID version 7, RFC 9562).
#[expect(clippy::disallowed_methods, reason = "the only source of ids")]
pub(crate) fn id(now: Time) -> String {
    #[cfg(feature = "sim")]
    if let Some(id) = seeded::id(now) {
        return id.to_string();
    }
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&*ORDER, seconds, now.timestamp_subsec_nanos())).to_string()
}

/// Not after any id of that time or later.
pub(crate) fn first_id(time: Time) -> String {
    let milliseconds = u64::try_from(time.timestamp_millis()).unwrap_or_default();
    format!("{:08x}-{:04x}", milliseconds >> 16, milliseconds & 0xffff)
}

/// # Panics
/// The operating system provides no random bytes. No safe fallback exists.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[cfg(feature = "sim")]
    if seeded::fill(&mut bytes) {
        return bytes;
    }
    SystemRandom::new().fill(&mut bytes).expect("the operating system provides random bytes");
    bytes
}

/// Prepares this thread's generator. The first use takes some 20 ms, which must not fall between the arrival of a new refresh
/// token and its encryption.
pub fn warm_up() {
    bytes::<1>();
}

/// A new link token of 256 bits.
pub fn link_token() -> LinkToken {
    LinkToken::new(URL_SAFE_NO_PAD.encode(bytes::<32>()))
}

/// A new token for the admin API: 256 bits. The prefix lets scanners of leaked secrets find it.
pub(crate) fn admin_token() -> SecretString {
    format!("rcd_{}", URL_SAFE_NO_PAD.encode(bytes::<32>())).into()
}

/// 128 bits, base64url without padding.
pub(crate) fn nonce() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}

/// At least 0 and less than 1.
pub fn jitter() -> f64 {
    f64::from(u32::from_be_bytes(bytes())) / (f64::from(u32::MAX) + 1.0)
}
