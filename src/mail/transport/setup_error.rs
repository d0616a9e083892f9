//! Why the transport cannot be set up: the operator has to correct the configuration.

use crate::base::certificates;
use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("email.smtp.tls = \"none\" is allowed for loopback hosts only, and {host:?} is not one")]
    Unprotected { host: String },
    #[error("email.smtp.host: {host:?} is neither a host name nor an IP address")]
    Host { host: String },
    #[error("email.smtp.ca_file: {}: {error}", path.display())]
    CaFile { path: PathBuf, error: io::Error },
    #[error("email.smtp.ca_file: {}: contains no usable PEM certificate", path.display())]
    NoCertificate { path: PathBuf },
    /// The system's certificates cannot be used.
    #[error("TLS for email: {0}{remedy}", remedy = certificates::remedy_if_missing())]
    Tls(rustls::Error),
}
