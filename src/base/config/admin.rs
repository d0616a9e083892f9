//! `[admin]`: the operator's listener.

use super::{Links, diagnostic::Report, values};
use secrecy::SecretString;
use serde::Deserialize;
use std::net::SocketAddr;

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Where health, metrics and the API are served.
    #[serde(deserialize_with = "values::listener")]
    pub(crate) listen: SocketAddr,
    /// Bearer token of the API.
    #[cfg_attr(not(test), expect(dead_code, reason = "reserved for the API"))]
    pub(crate) token: SecretString,
}

impl Admin {
    pub(super) fn validate(&self, report: &mut Report, links: &Links) {
        // Port 0 is a free port each time, so that two of them do not clash.
        if self.listen == links.listen && self.listen.port() != 0 {
            report.error_because_of(
                "admin.listen",
                "links.listen",
                "is the address of links.listen too; write another port, as in \"127.0.0.1:9090\"",
            );
        }
    }
}
