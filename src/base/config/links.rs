//! `[links]`: the members' pages.

use super::{diagnostic::Report, values};
use serde::Deserialize;
use std::{net::SocketAddr, time::Duration};

/// A member who looks, presses and comes back needs a few.
const MIN_REQUESTS: u32 = 10;

/// `[links]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// Where the public pages are served.
    #[serde(deserialize_with = "values::listener")]
    pub listen: SocketAddr,
    /// What the mails' links start with.
    #[serde(deserialize_with = "values::absolute_url")]
    pub(crate) public_url: url::Url,
    /// How long a link lives.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) ttl: Duration,
    /// Redemptions that one button allows, 1 to 5.
    pub(crate) max_redemptions: u32,
    /// Proxies of the operator's own before the listener, 0 to 10: so many entries of `X-Forwarded-For` are believed,
    /// counted from the right.
    pub(crate) trusted_proxies: usize,
    /// What one client address may ask for; 0: no limit.
    pub(crate) requests_per_minute: u32,
}

impl Links {
    pub(super) fn validate(&self, report: &mut Report) {
        report.check("links.public_url", values::secure_url(&self.public_url));
        if self.public_url.query().is_some() || self.public_url.fragment().is_some() {
            report.error(
                "links.public_url",
                "has a query or a fragment; leave out the ? or # and what follows",
            );
        }
        if self.ttl.is_zero() {
            report.error("links.ttl", "is zero; write a duration such as \"7d\"");
        }
        if !(1..=5).contains(&self.max_redemptions) {
            report.error("links.max_redemptions", "is out of range; write a number from 1 to 5");
        }
        if self.trusted_proxies > 10 {
            report.error(
                "links.trusted_proxies",
                "is out of range; write how many proxies of your own stand before links.listen, 0 to 10",
            );
        }
        if (1..MIN_REQUESTS).contains(&self.requests_per_minute) {
            report.error(
                "links.requests_per_minute",
                "is too few for one member to get through; write at least 10, or 0 for no limit",
            );
        }
    }
}
