//! The certificates that a mail server's certificate is verified against.

use super::setup_error::TransportError;
use rustls::{
    ClientConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use std::{fs, path::Path, sync::Arc};
use tokio_rustls::TlsConnector;

/// Trusts the system's certificates and those in `ca_file` (empty: none).
pub(super) fn connector(ca_file: &str) -> Result<TlsConnector, TransportError> {
    let roots = if ca_file.is_empty() { Vec::new() } else { certificates(Path::new(ca_file))? };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, provider.clone()).map_err(TransportError::Tls)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TransportError::Tls)?
        .dangerous() // the method's name; the verifier is the system's own
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let pem = fs::read(path).map_err(|error| TransportError::CaFile { path: path.to_owned(), error })?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TransportError::NoCertificate { path: path.to_owned() }),
    }
}
