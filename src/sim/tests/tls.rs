use super::{smtp::Dialogue, *};
use crate::sim::SmtpTls;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{PrivatePkcs8KeyDer, ServerName},
};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate for `localhost`, and a client that trusts it.
fn pair() -> (Arc<ServerConfig>, TlsConnector) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client).into())
}

async fn handshake(connector: &TlsConnector, stream: TcpStream) -> TlsStream<TcpStream> {
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

#[tokio::test]
async fn starttls_protects_the_rest_and_forgets_what_came_before() {
    let (server, connector) = pair();
    let sim = Sim::with(|options| options.smtp_tls = SmtpTls::StartTls(server)).await;
    let (mut plain, _) = Dialogue::open(sim.simulator.smtp_addr()).await;
    assert!(plain.say("EHLO client.example").await.contains("STARTTLS"));
    // A command slipped in before the handshake must not count after it.
    assert!(plain.say("STARTTLS\r\nMAIL FROM:<evil@x.example>").await.starts_with("220"));
    let mut tls = Dialogue::over(handshake(&connector, plain.into_inner()).await);
    assert!(!tls.say("EHLO client.example").await.contains("STARTTLS"));
    assert!(tls.say("RCPT TO:<a@x.example>").await.starts_with("503"));
    assert!(tls.send("a@x.example", "Subject: Safe\r\n\r\nText").await.starts_with("250"));
    assert!(sim.simulator.mailbox().mails()[0].tls);
}

#[tokio::test]
async fn implicit_tls_protects_everything() {
    let (server, connector) = pair();
    let sim = Sim::with(|options| options.smtp_tls = SmtpTls::Implicit(server)).await;
    let stream = TcpStream::connect(sim.simulator.smtp_addr()).await.unwrap();
    let mut tls = Dialogue::over(handshake(&connector, stream).await);
    assert!(tls.reply().await.starts_with("220"));
    assert!(tls.send("a@x.example", "Subject: Safe\r\n\r\nText").await.starts_with("250"));
    assert!(sim.simulator.mailbox().mails()[0].tls);
}
