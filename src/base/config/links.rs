//! `[links]`: the public listener and the links that lead to it.

use super::values;
use serde::{Deserialize, Deserializer, de::Error};
use std::{net::SocketAddr, time::Duration};
use url::Url;

/// The smallest `requests_per_minute` that lets one member open a page, press the button, and return.
const MIN_REQUESTS: u32 = 10;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    #[serde(deserialize_with = "values::listener")]
    pub listen: SocketAddr,
    /// The start of each link in an email. Without query and fragment.
    #[serde(deserialize_with = "public_url")]
    pub(crate) public_url: Url,
    /// The lifetime of a link.
    #[serde(deserialize_with = "values::positive_duration")]
    pub(crate) ttl: Duration,
    /// Redemptions that one button allows, 1 to 5.
    #[serde(deserialize_with = "values::integer::<_, _, 1, 5>")]
    pub(crate) max_redemptions: u32,
    /// The operator's own proxies in front of the listener, 0 to 10. As many `X-Forwarded-For` entries are trusted,
    /// counted from the right.
    #[serde(deserialize_with = "values::integer::<_, _, 0, 10>")]
    pub(crate) trusted_proxies: usize,
    /// Per client address. 0: no limit; else at least 10.
    #[serde(deserialize_with = "requests_per_minute")]
    pub(crate) requests_per_minute: u32,
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let url = values::secure_url(deserializer)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(D::Error::custom(
            "must have no query and no fragment; remove the ? or # and everything after it",
        ));
    }
    if url.path().contains("//") {
        return Err(D::Error::custom("must not contain // in its path; write each slash once"));
    }
    Ok(url)
}

fn requests_per_minute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = values::integer::<_, _, 0, 1_000_000>(deserializer)?;
    if (1..MIN_REQUESTS).contains(&number) {
        return Err(D::Error::custom(format!("must be 0 for no limit, or at least {MIN_REQUESTS}")));
    }
    Ok(number)
}
