//! No error repeats the URL, which can contain credentials.

use crate::base::config::host::is_loopback_host;
use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

/// Reads an https URL, or an http URL of a loopback host, without credentials.
pub(in crate::base::config) fn secure_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = parse(&text).map_err(D::Error::custom)?;
    check_secure_url(&url).map_err(D::Error::custom)?;
    Ok(url)
}

/// Like [`secure_url`]; `None` for "".
pub(in crate::base::config) fn optional_secure_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let url = parse(&text).map_err(D::Error::custom)?;
    check_secure_url(&url).map_err(D::Error::custom)?;
    Ok(Some(url))
}

/// Like [`optional_secure_url`], but with credentials: the whole URL is a secret.
pub(in crate::base::config) fn optional_secret_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let url = parse(&text).map_err(D::Error::custom)?;
    check_encryption(&url).map_err(D::Error::custom)?;
    Ok(Some(url))
}

fn parse(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| {
        format!("invalid URL ({error}); write an absolute one, such as \"https://host/path\"")
    })
}

/// Checks that the URL is https, or http to a loopback host, and has no credentials.
///
/// # Errors
/// The change that the URL needs.
fn check_secure_url(url: &Url) -> Result<(), &'static str> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password; remove the part before the @");
    }
    check_encryption(url)
}

fn check_encryption(url: &Url) -> Result<(), &'static str> {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" if !host.is_empty() => Ok(()),
        "http" if is_loopback_host(host) => Ok(()),
        "http" => Err("must use https; plain http is allowed for loopback hosts only"),
        _ => Err("must be an https URL, such as \"https://host/path\""),
    }
}

pub(in crate::base::config) fn check_secure_url_text(text: &str) -> Result<(), &'static str> {
    check_secure_url(&Url::parse(text).map_err(|_| "must be an absolute URL, such as \"https://host/path\"")?)
}
