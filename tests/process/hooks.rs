//! Mail providers post reports to a running daemon.

use crate::harness::{Daemon, Home, PATIENCE, simulator};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::{Client, Response};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

const PASSWORD: &str = "sesame-0pen";
const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:reconnectd-bounces";
const AMAZON: &str = "sns.us-west-2.amazonaws.com";
const TOKEN: &str = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92768dd60a747ba6f3beb71854e285d6ad02428b09ceece29417f1f02d609c582afbacc99c583a916b9981dd2728f4ae6fdb82efd087cc3b7849e05798d2d2785c03b0879594eeac82c01f235d0e717736";

async fn post(daemon: &Daemon, route: &str, password: &str, body: &Value) -> Response {
    let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let request = http.post(format!("http://{}/hooks/{route}", daemon.links));
    request.basic_auth("any", Some(password)).body(body.to_string()).send().await.unwrap()
}

#[tokio::test]
async fn a_report_with_the_password_suppresses_and_ten_wrong_ones_are_the_limit() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    let password = home.write_secret("bounces_password", PASSWORD);
    home.set("bounces.password_file", password.display().to_string());
    home.enrol(&["alice", "bob"]).await;
    let daemon = home.daemon().await;
    let report = json!({ "email": "Alice <ALICE@example.org>", "kind": "complaint" });
    for number in 1..=12 {
        let wrong = post(&daemon, "bounces", "sesame", &report).await;
        let expected = if number <= 10 { 401 } else { 429 };
        assert_eq!(wrong.status(), expected, "{number}");
        assert_eq!(wrong.headers().contains_key("www-authenticate"), number <= 10);
    }
    assert!(home.json(&["suppress", "list"]).await.is_empty());
    assert_eq!(post(&daemon, "bounces", PASSWORD, &report).await.status(), 200);

    let listed = home.json(&["suppress", "list"]).await.remove(0);
    assert_eq!((&listed["member_ids"], &listed["reason"]), (&json!(["alice"]), &json!("complaint")));
    assert_eq!(home.json(&["status"]).await[0]["suppressed"], 1);
    let why = home.json(&["why", "alice"]).await;
    assert!(why.iter().any(|row| row["what"] == "suppression" && row["reason"] == "complaint"), "{why:?}");
    let metrics = Client::new().get(format!("http://{}/metrics", daemon.admin)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "reconnectd_bounces_total{kind=\"complaint\"} 1",
        "reconnectd_rate_limited_requests_total{quota=\"hook_passwords\"} 2",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} is not in\n{metrics}");
    }
    let removed = home.json(&["suppress", "remove", "alice@example.org"]).await;
    assert_eq!(removed, [json!({ "member_ids": ["alice"], "removed": true })]);
    let ended = daemon.running.stopped().await.well();
    assert!(ended.stderr.contains("wrong_hook_password") && ended.stderr.contains("address_suppressed"));
    assert!(!ended.stderr.contains("sesame") && !ended.stderr.to_lowercase().contains("alice@"));
}

/// An authority's certificate in PEM, and a proxy that leads every request to a server of its for Amazon. Answers with
/// `response` and records what it receives.
async fn amazon(response: &'static str) -> (String, String, Arc<Mutex<String>>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([AMAZON.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(String::new()));
    let record = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            record.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..read]));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let Ok(mut stream) = tls.accept(stream).await else { continue };
            let read = stream.read(&mut request).await.unwrap_or(0);
            record.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..read]));
            let _ = stream.write_all(response.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (root.pem(), proxy, received)
}

/// The response to a confirmation, what Amazon received, and the log.
async fn confirm(response: &'static str) -> (u16, String, String) {
    let (root, proxy, received) = amazon(response).await;
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("bounces.password", PASSWORD).set("bounces.ses_topics", vec![TOPIC]);
    let root = home.write("root.pem", &root);
    home.variable("SSL_CERT_FILE", root.to_str().unwrap()).variable("HTTPS_PROXY", &proxy);
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    let url = format!("https://{AMAZON}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}");
    let message = json!({
        "Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "Token": TOKEN, "SubscribeURL": url,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b", "Timestamp": "2012-04-26T20:45:04.751Z",
        "Message": "You have chosen to subscribe to the topic.", "SignatureVersion": "1", "Signature": "EXAMPLE",
    });
    let foreign = json!({ "Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "SubscribeURL": "https://evil.example/" });
    assert_eq!(post(&daemon, "ses", PASSWORD, &foreign).await.status(), 400);
    assert!(received.lock().unwrap().is_empty(), "nothing but Amazon is requested");
    let status = post(&daemon, "ses", PASSWORD, &message).await.status().as_u16();
    let received = received.lock().unwrap().clone();
    let log = daemon.running.stopped().await.well().stderr;
    assert!(!log.contains(TOKEN) && !log.contains("ConfirmSubscription"), "{log}");
    (status, received, log)
}

#[tokio::test]
async fn the_subscription_of_a_topic_is_confirmed_at_amazon() {
    let (status, received, log) = confirm("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(status, 200, "{log}");
    assert!(received.starts_with(&format!("CONNECT {AMAZON}:443 ")), "{received}");
    assert!(received.contains("GET /?Action=ConfirmSubscription") && received.contains(TOKEN), "{received}");
    assert!(log.contains("sns_subscribed") && log.contains(TOPIC), "{log}");
}

#[tokio::test]
async fn a_confirmation_follows_no_redirect_and_is_requested_again_by_sns() {
    let redirect =
        "HTTP/1.1 302 Found\r\nlocation: https://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
    let (status, received, log) = confirm(redirect).await;
    assert_eq!(status, 502);
    assert_eq!(received.matches("CONNECT").count(), 1, "{received}");
    assert!(log.contains("sns_confirmation_failed") && log.contains("302"), "{log}");
}
