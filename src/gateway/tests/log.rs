//! What the log tells of calls.

use super::{
    TOKEN, gateway,
    stub::{Answer, Stub},
    token,
};
use std::{
    io,
    sync::{Arc, Mutex},
};

/// Where a test's log lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of `work`, and of nothing that runs beside it, at its most talkative.
async fn log_of<F: Future<Output = ()>>(work: impl Fn() -> F) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let logger = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // While there is one subscriber, a log line that another test's thread comes to first is switched off for everyone:
    // `tracing` then asks that thread's own default alone. With two it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(logger);
    work().await;
    tracing::callsite::rebuild_interest_cache();
    lines.0.lock().unwrap().clear();
    work().await;
    let log = lines.0.lock().unwrap().clone();
    String::from_utf8(log).unwrap()
}

#[tokio::test]
async fn the_log_tells_of_each_try_and_of_no_secret_even_at_its_most_talkative() {
    let log = log_of(|| async {
        let stub = Stub::answering([
            Answer::new(500, format!(r#"{{"errors": [{{"message": "about {TOKEN}"}}]}}"#))
                .with("x-request-id", "req-1"),
            Answer::ok(r#"{"data": {"getOauthUrl": {"redirectUrl": "https://idp.example/?code=s3cret"}}}"#),
        ])
        .await;
        gateway(&stub).oauth_url(&token(), &"epic".into()).await.unwrap();
    })
    .await;
    for said in
        ["operation=\"getOauthUrl\"", "status=500", "status=200", "asking again", "request_id=\"req-1\""]
    {
        assert!(log.contains(said), "{said}: {log}");
    }
    for secret in [TOKEN, super::CLIENT_KEY, "s3cret", "hidden"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_is_warned_of_once() {
    let log = log_of(|| async {
        let answer = |date: &str| Answer::ok(r#"{"data": {"getMemberConnections": []}}"#).with("date", date);
        let dates = ["11:58:00", "11:57:00", "12:00:00", "12:03:00"];
        let answers = dates.map(|time| answer(&format!("Sun, 01 Mar 2026 {time} GMT")));
        let gateway = gateway(&Stub::answering(answers).await);
        for skew in [2, 3, 0, -3] {
            gateway.connections(&token()).await.unwrap();
            assert_eq!(gateway.clock_skew(), Some(chrono::TimeDelta::minutes(skew)));
        }
    })
    .await;
    assert_eq!(log.matches("check its time service").count(), 2, "it was right in between: {log}");
    assert!(log.contains("seconds=120") && log.contains("seconds=-180"), "{log}");
}

#[tokio::test]
async fn rows_that_cannot_be_used_are_counted_in_the_log_and_not_quoted() {
    let log = log_of(|| async {
        let rows =
            r#"[{"id": "s3cret", "name": 7}, {"id": "x", "name": "s3cret"}, {"id": "x", "name": "n"}]"#;
        let answer = Answer::ok(format!(r#"{{"data": {{"getMemberConnections": {rows}}}}}"#));
        gateway(&Stub::answering([answer]).await).connections(&token()).await.unwrap();
    })
    .await;
    assert!(log.contains("rows=3 unreadable=1 doubled=1"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}
