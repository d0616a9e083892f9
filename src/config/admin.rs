//! `[links]` and `[admin]`: the public listener and the operator's.

use super::{problem::Report, values};
use secrecy::SecretString;
use serde::Deserialize;
use std::{net::SocketAddr, time::Duration};

/// `[links]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// Where the public pages are served.
    #[serde(deserialize_with = "values::listener")]
    pub listen: SocketAddr,
    /// What the mails' links start with.
    #[serde(deserialize_with = "values::absolute_url")]
    pub public_url: url::Url,
    /// How long a link lives.
    #[serde(deserialize_with = "values::duration")]
    pub ttl: Duration,
    /// Redemptions that one button allows, 1 to 5.
    pub max_redemptions: u32,
}

impl Links {
    pub(super) fn validate(&self, report: &mut Report) {
        report.check("links.public_url", values::guarded_url(&self.public_url));
        if self.public_url.query().is_some() || self.public_url.fragment().is_some() {
            report.wrong(
                "links.public_url",
                "has a query or a fragment; leave out the ? or # and what follows",
            );
        }
        if self.ttl.is_zero() {
            report.wrong("links.ttl", "is zero; write a duration such as \"7d\"");
        }
        if !(1..=5).contains(&self.max_redemptions) {
            report.wrong("links.max_redemptions", "is out of range; write a number from 1 to 5");
        }
    }
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Where health, metrics and the API are served.
    #[serde(deserialize_with = "values::listener")]
    pub listen: SocketAddr,
    /// Bearer token of the API.
    pub token: SecretString,
}

impl Admin {
    pub(super) fn validate(&self, report: &mut Report, links: &Links) {
        // Port 0 is a free port each time, so that two of them do not clash.
        if self.listen == links.listen && self.listen.port() != 0 {
            report.wrong_because(
                "admin.listen",
                "links.listen",
                "is the address of links.listen too; write another port, as in \"127.0.0.1:9090\"",
            );
        }
    }
}
