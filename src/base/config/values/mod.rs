//! Deserializers for values that several sections hold. Each error says what to write instead.

mod duration;
mod number;
mod text;
mod url;

pub(super) use duration::{ascending_durations, duration, positive_duration};
pub(super) use number::{integer, share};
pub(super) use text::{listener, parsed, path};
pub(super) use url::{check_secure_url_text, optional_secret_url, optional_secure_url, secure_url};
