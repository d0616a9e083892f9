//! The simulated mail server under a script.

use crate::{
    base::clock::Clock,
    sim::{SmtpScript, SmtpTls, serve_smtp},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::sync::Arc;
use tokio::net::TcpListener;

pub(super) use crate::sim::DISCONNECT;

#[derive(Default)]
pub(super) struct FakeServer {
    /// The extensions in the reply to EHLO.
    pub(super) offers: Vec<&'static str>,
    pub(super) replies: Vec<(&'static str, &'static str)>,
    pub(super) tls: SmtpTls,
}

impl FakeServer {
    /// See [`SmtpScript::new`].
    pub(super) fn replying(mut self, replies: &[(&'static str, &'static str)]) -> Self {
        self.replies.extend_from_slice(replies);
        self
    }

    /// Starts the server; it ends with the test's runtime.
    pub(super) async fn start(self) -> (u16, Arc<SmtpScript>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(SmtpScript::new(Some(self.offers), self.replies));
        tokio::spawn(serve_smtp(listener, Clock::System, self.tls, script.clone()));
        (port, script)
    }
}

/// A test authority's certificate in PEM, and the TLS settings of a server for `localhost` that it vouches for.
pub(super) fn authority() -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (root.pem(), Arc::new(config))
}
