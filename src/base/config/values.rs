//! Kinds of values that several sections hold, and what is asked of them.

use super::is_loopback_host;
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, de::Error};
use std::{net::SocketAddr, time::Duration};
use url::Url;

/// Longer than anything that is waited for: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A duration inside a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(crate) struct Span(#[serde(deserialize_with = "duration")] pub(crate) Duration);

/// Reads `90s`, `15m`, `24h`, `7d`, and says so when it is something else.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = humantime::parse_duration(&text).map_err(|error| {
        D::Error::custom(format!("{error}; write a duration such as \"90s\", \"15m\" or \"7d\""))
    })?;
    // Longer ones would leave what a calendar can say.
    if duration > LONGEST {
        return Err(D::Error::custom("longer than ten years; write a shorter duration"));
    }
    Ok(duration)
}

/// Reads an absolute URL. The refusal does not repeat the value, which may hold credentials.
pub(super) fn absolute_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    Url::parse(&text).map_err(|error| {
        D::Error::custom(format!("{error}; write an absolute URL such as https://host/path"))
    })
}

/// Reads an IANA time zone.
pub(super) fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("is not known; write an IANA name such as \"Europe/Madrid\""))
}

/// Reads the address of a listener.
pub(super) fn listener<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom("is not an address and port; write them as in \"127.0.0.1:8080\" or \"[::1]:8080\"")
    })
}

/// What is wrong with a URL that must be https, or http to this machine, and must carry no credentials.
pub(super) fn secure_url(url: &Url) -> Result<(), &'static str> {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("holds a user name or password; leave the part before the @ out")
        }
        "https" if !host.is_empty() => Ok(()),
        "http" if is_loopback_host(host) => Ok(()),
        "http" => Err("plain http is for loopback hosts only; write https://…"),
        _ => Err("is not an https URL; write https://host/path"),
    }
}

/// The same for text. Empty text is for the caller to judge.
pub(super) fn secure_url_text(text: &str) -> Result<(), &'static str> {
    secure_url(&Url::parse(text).map_err(|_| "is not an absolute URL; write https://host/path")?)
}

/// Whether `text` has the form of a BCP 47 tag of language and perhaps script, region or variant, such as
/// `es` or `zh-Hant-TW`.
pub(crate) fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.chars().all(|c| c.is_ascii_alphabetic())
        && parts.all(|part| (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// What is wrong with a list of spans that must be above zero and ascend.
pub(super) fn ascending(spans: &[Span]) -> Result<(), &'static str> {
    if spans.iter().any(|span| span.0.is_zero()) {
        Err("holds a zero; each entry must be longer than 0s")
    } else if !spans.is_sorted_by(|a, b| a < b) {
        Err("does not ascend; write the shortest first, as in [\"3d\", \"10d\"]")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_language_tags() {
        for good in ["en", "es-MX", "zh-Hant-TW", "fil", "es-419"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "e", "english", "en_GB", "en-", "-en", "en-x\n", "../en"] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
