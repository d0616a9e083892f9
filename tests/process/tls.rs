//! Mail over TLS, to a server whose certificate only the operator's own authority vouches for.

use crate::harness::{Home, mails, until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reconnectd::sim::{Options, Simulator, SmtpTls};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use std::sync::Arc;

/// An authority's certificate in PEM, and a server of its for `localhost`.
fn authority() -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (root.pem(), Arc::new(config))
}

async fn home(smtp_tls: SmtpTls, tls: &str) -> (Simulator, Home) {
    let simulator = Simulator::start(Options { smtp_tls, ..Options::default() }).await.unwrap();
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1).set("email.smtp.host", "localhost").set("email.smtp.tls", tls);
    (simulator, home)
}

#[tokio::test]
async fn a_notice_reaches_a_mail_server_that_the_operators_ca_file_vouches_for() {
    let (root, config) = authority();
    for (smtp_tls, tls) in
        [(SmtpTls::StartTls(config.clone()), "starttls"), (SmtpTls::Implicit(config), "implicit")]
    {
        let (simulator, mut home) = home(smtp_tls, tls).await;
        let ca_file = home.write("ca.pem", &root);
        home.set("email.smtp.ca_file", ca_file.display().to_string());
        home.enrol(&["alice"]).await;
        home.run(&["check"]).await.well();
        home.run(&["once"]).await.well();
        simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
        let daemon = home.daemon().await;
        let mail = mails(&simulator, 1).await.remove(0);
        assert!(mail.tls, "{tls}");
        assert_eq!(mail.to, ["alice@example.org"]);
        daemon.running.stopped().await.well();
        assert_eq!(simulator.mailbox().received(), 1);
    }
}

#[tokio::test]
async fn an_untrusted_mail_server_gets_no_email_and_the_notice_is_kept() {
    let (_, config) = authority();
    let (simulator, home) = home(SmtpTls::StartTls(config), "starttls").await;
    home.enrol(&["alice"]).await;
    home.run(&["check"]).await.badly(1, &[]);
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let once = home.run(&["once"]).await;
    assert!(once.stderr.contains("event=\"mail_server_unusable\""), "{}", once.stderr);
    let notice = until("the notice", async || home.json(&["notices", "list"]).await.pop()).await;
    assert_eq!(
        (notice["state"].as_str(), notice["reason"].as_str()),
        (Some("queued"), Some("smtp_misconfigured"))
    );
    assert_eq!(simulator.mailbox().received(), 0);
}
