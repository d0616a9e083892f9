//! The log lines of calls.

use super::{
    CLIENT_KEY, TOKEN, gateway,
    stub::{StubResponse, StubServer},
    token,
};
use crate::base::telemetry::LogCapture;

#[tokio::test]
async fn each_attempt_is_logged_without_secrets() {
    let log = LogCapture::start();
    let stub = StubServer::responding([
        StubResponse::new(500, format!(r#"{{"errors": [{{"message": "about {TOKEN}"}}]}}"#))
            .with("x-request-id", "req-1"),
        StubResponse::ok(r#"{"data": {"getOauthUrl": {"redirectUrl": "https://idp.example/?code=s3cret"}}}"#),
    ])
    .await;
    gateway(&stub).oauth_url(&token(), &"epic".into()).await.unwrap();
    let log = log.text();
    for field in ["operation=\"getOauthUrl\"", "status=500", "status=200", "request_id=\"req-1\"", "pause="] {
        assert!(log.contains(field), "{field}: {log}");
    }
    for secret in [TOKEN, CLIENT_KEY, "s3cret", "hidden"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_logged_once_until_it_is_right_again() {
    let log = LogCapture::start();
    let response =
        |date: &str| StubResponse::ok(r#"{"data": {"getMemberConnections": []}}"#).with("date", date);
    let dates = ["11:58:00", "11:57:00", "12:00:00", "12:03:00"];
    let responses = dates.map(|time| response(&format!("Sun, 01 Mar 2026 {time} GMT")));
    let gateway = gateway(&StubServer::responding(responses).await);
    for skew in [2, 3, 0, -3] {
        gateway.connections(&token()).await.unwrap();
        assert_eq!(gateway.clock_skew(), Some(chrono::TimeDelta::minutes(skew)));
    }
    let log = log.text();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("seconds=")).collect();
    assert_eq!(warnings.len(), 2, "{log}");
    assert!(warnings[0].contains("seconds=120") && warnings[1].contains("seconds=-180"), "{log}");
}

#[tokio::test]
async fn unusable_rows_are_counted_in_the_log_and_not_quoted() {
    let log = LogCapture::start();
    let rows = r#"[{"id": "s3cret", "name": 7}, {"id": "x", "name": "s3cret"}, {"id": "x", "name": "n"}]"#;
    let response = StubResponse::ok(format!(r#"{{"data": {{"getMemberConnections": {rows}}}}}"#));
    gateway(&StubServer::responding([response]).await).connections(&token()).await.unwrap();
    let log = log.text();
    assert!(log.contains("rows=3 unreadable=1 duplicates=1"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}
