//! Which callers wait after a throttled response.

use super::{
    Verdict, gateway_at, settings,
    stub::{StubResponse, StubServer},
};
use crate::{
    base::clock::{Clock, ManualClock},
    domain::{AccessToken, RefreshToken},
    gateway::{Gateway, GatewayError},
};
use serde_json::json;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const EMPTY: &str = r#"{"data": {"getMemberConnections": []}}"#;

fn throttle(seconds: u64) -> StubResponse {
    StubResponse::new(429, "{}").with("retry-after", seconds.to_string())
}

struct Throttled {
    stub: StubServer,
    gateway: Gateway,
    clock: ManualClock,
}

impl Throttled {
    async fn by(answers: impl IntoIterator<Item = StubResponse>) -> Self {
        let stub = StubServer::responding(answers).await;
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let gateway = gateway_at(&settings(&stub.url()), Clock::Manual(clock.clone()));
        Self { stub, gateway, clock }
    }

    async fn list(&self, member: &str) -> Result<(), GatewayError> {
        self.gateway.connections(&AccessToken::new(member)).await.map(drop)
    }
}

#[tokio::test]
async fn one_throttled_member_is_that_members_own_business() {
    let t = Throttled::by([throttle(60)]).await;
    for _ in 0..5 {
        let error = t.list("alice").await.unwrap_err();
        assert!(error.is_throttled() && !error.is_shared_wait(), "{error}");
    }
    assert_eq!((t.gateway.shared_wait(), t.stub.requests().len()), (None, 5));
}

#[tokio::test]
async fn everyone_waits_when_three_members_in_a_row_are_throttled_and_nothing_is_sent() {
    let t = Throttled::by([throttle(60), throttle(60), throttle(60), StubResponse::ok(EMPTY)]).await;
    for member in ["a", "b"] {
        assert!(!t.list(member).await.unwrap_err().is_shared_wait());
    }
    let error = t.list("c").await.unwrap_err();
    assert!(error.is_throttled() && error.is_shared_wait(), "{error}");
    assert_eq!(t.gateway.shared_wait(), Some(MINUTE));
    t.clock.advance(chrono::TimeDelta::seconds(20));
    let held = [
        t.list("d").await.unwrap_err(),
        t.gateway.refresh(&RefreshToken::new("rt")).await.unwrap_err(),
        t.gateway.clone().delete(&AccessToken::new("a"), &"epic".into()).await.unwrap_err(),
    ];
    for error in held {
        assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(40)) });
        assert!(error.is_shared_wait() && !error.is_throttled(), "{error}");
    }
    assert_eq!(t.stub.requests().len(), 3, "what is held back is not sent");
    t.clock.advance(chrono::TimeDelta::seconds(40));
    assert_eq!(t.gateway.shared_wait(), None);
    assert!(t.list("d").await.is_ok());
}

#[tokio::test]
async fn an_answer_to_anyone_in_between_shows_that_not_everyone_is_throttled() {
    let refusal =
        json!({ "errors": [{ "extensions": { "resource": { "issue": [{ "code": "forbidden" }] } } }] });
    for between in
        [StubResponse::ok(EMPTY), StubResponse::ok(refusal.to_string()), StubResponse::new(401, "")]
    {
        let t = Throttled::by([throttle(60), throttle(60), between, throttle(60), throttle(60)]).await;
        for member in ["a", "b", "c", "d", "e"] {
            let _ = t.list(member).await;
        }
        assert_eq!((t.gateway.shared_wait(), t.stub.requests().len()), (None, 5));
    }
    let t = Throttled::by([throttle(60), throttle(60), StubResponse::new(404, ""), throttle(60)]).await;
    for member in ["a", "b", "c", "d"] {
        let _ = t.list(member).await;
    }
    assert!(t.gateway.shared_wait().is_some(), "a bare status answers nobody");
}

#[tokio::test]
async fn what_counts_as_a_throttle() {
    let issue =
        |code: &str| json!({ "errors": [{ "extensions": { "resource": { "issue": [{ "code": code }] } } }] });
    for (answer, throttled) in [
        (StubResponse::new(429, ""), true),
        (throttle(30), true),
        (StubResponse::new(503, "").with("retry-after", "30"), true),
        (StubResponse::new(503, ""), false),
        (StubResponse::new(500, "").with("retry-after", "30"), false),
        (StubResponse::ok(issue("THROTTLED").to_string()), true),
        (StubResponse::ok(issue("timeout").to_string()), false),
    ] {
        let t = Throttled::by([answer]).await;
        for member in ["a", "b"] {
            assert_eq!(t.list(member).await.unwrap_err().is_throttled(), throttled);
        }
        let error = t.list("c").await.unwrap_err();
        assert_eq!((error.is_shared_wait(), t.gateway.shared_wait().is_some()), (throttled, throttled));
    }
}

#[tokio::test]
async fn no_wait_is_longer_than_an_hour_nor_for_a_person_than_five_minutes() {
    let t = Throttled::by([throttle(86_400)]).await;
    let error = t.list("a").await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(60 * MINUTE) });
    for member in ["b", "c"] {
        let _ = t.list(member).await;
    }
    assert_eq!(t.gateway.shared_wait(), Some(60 * MINUTE));
    let error = t.gateway.interactive().connections(&AccessToken::new("a")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(5 * MINUTE) });
}

#[tokio::test]
async fn a_person_neither_obeys_the_shared_wait_nor_begins_it() {
    let t = Throttled::by([throttle(60), throttle(60), throttle(60), throttle(60), StubResponse::ok(EMPTY)])
        .await;
    let people = t.gateway.interactive();
    for member in ["x", "y", "z"] {
        let error = people.connections(&AccessToken::new(member)).await.unwrap_err();
        assert!(error.is_throttled() && !error.is_shared_wait());
    }
    assert_eq!(t.gateway.shared_wait(), None);

    let t = Throttled::by([throttle(60), throttle(60), throttle(60), StubResponse::ok(EMPTY)]).await;
    for member in ["a", "b", "c"] {
        let _ = t.list(member).await;
    }
    assert!(t.gateway.shared_wait().is_some());
    assert!(t.gateway.interactive().connections(&AccessToken::new("d")).await.is_ok());
    assert!(t.gateway.shared_wait().is_some(), "the others wait still");
}
