//! `[admin]`: the operator's listener.

use super::{diagnostic::Findings, links::Links, values};
use secrecy::SecretString;
use serde::Deserialize;
use std::net::SocketAddr;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    #[serde(deserialize_with = "values::listener")]
    pub(crate) listen: SocketAddr,
    #[cfg_attr(not(test), expect(dead_code, reason = "reserved for the API"))]
    pub(crate) token: SecretString,
}

impl Admin {
    pub(super) fn validate(&self, findings: &mut Findings, links: &Links) {
        // With port 0 the system picks a free port for each listener.
        if self.listen == links.listen && self.listen.port() != 0 {
            findings.error_because_of(
                "admin.listen",
                "links.listen",
                "must differ from links.listen; write another port, such as \"127.0.0.1:9090\"",
            );
        }
    }
}
