//! The settings of the simulated mail server.

use super::{super::mailbox::Mailbox, script::SmtpScript};
use crate::base::clock::Clock;
use rustls::ServerConfig;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub enum SmtpTls {
    #[default]
    None,
    /// When the client sends STARTTLS.
    StartTls(Arc<ServerConfig>),
    /// From the first byte.
    Implicit(Arc<ServerConfig>),
}

pub(in crate::sim) struct Server {
    pub(in crate::sim) mailbox: Mailbox,
    pub(in crate::sim) clock: Clock,
    pub(in crate::sim) tls: SmtpTls,
    /// The required user name and password. `None`: authentication is optional, and any are accepted.
    pub(in crate::sim) credentials: Option<(String, String)>,
    /// Replies that take precedence over the server's own.
    pub(in crate::sim) script: Option<Arc<SmtpScript>>,
}
