//! The system's CA certificates.

/// The remedy to append to an error about TLS, if the system has no CA certificates.
pub(crate) fn remedy_if_missing() -> &'static str {
    if rustls_native_certs::load_native_certs().certs.is_empty() {
        "; install the system's CA certificates, for example with `apt-get install ca-certificates`, \
         `dnf install ca-certificates`, or `apk add ca-certificates`, or name a file of them in SSL_CERT_FILE"
    } else {
        ""
    }
}
