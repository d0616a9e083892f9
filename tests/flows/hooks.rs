//! What mail providers report at `/hooks/…`.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::Suppression::{self, Complaint, HardBounce, Unsubscribed};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

const PASSWORD: &str = "sesame-0pen";
const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:reconnectd-bounces";

fn with_hooks() -> Setup {
    Setup::default().set("BOUNCES__PASSWORD", PASSWORD).set("BOUNCES__SES_TOPICS", TOPIC)
}

impl Harness {
    async fn post(&self, route: &str, password: Option<&str>, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("http://{}/hooks/{route}", self.app.config.links.listen);
        let request = Client::builder().no_proxy().build().unwrap().post(url);
        // As SNS does.
        let request = request.header("Content-Type", "text/plain; charset=UTF-8").body(body);
        let request = match password {
            Some(password) => request.basic_auth("any", Some(password)),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// Posts a report with the right password.
    pub(crate) async fn report(&self, route: &str, body: impl Into<reqwest::Body>) -> StatusCode {
        self.post(route, Some(PASSWORD), body).await.status()
    }

    /// The status and the detail of the error that a report causes.
    async fn refusal(&self, route: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let response = self.post(route, Some(PASSWORD), body).await;
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let status = response.status().as_u16();
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(problem["status"], status);
        (status, problem["detail"].as_str().unwrap().to_owned())
    }

    /// The suppressions of enrolled members, oldest first.
    pub(crate) async fn suppressions(&self) -> Vec<(String, Suppression)> {
        let listed = self.app.store.suppressions(None, None, 100).await.unwrap();
        let rows = listed.iter().map(|row| {
            let members: Vec<_> = row.members.iter().map(ToString::to_string).collect();
            (members.join(" "), row.reason)
        });
        rows.collect()
    }
}

fn relay_report(email: &str, kind: &str) -> String {
    json!({ "email": email, "kind": kind, "permanent": true }).to_string()
}

fn fixtures(route: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/flows/fixtures/hooks").join(route)
}

/// The route, the fixture, and the members whose addresses it suppresses.
type Row = (&'static str, &'static str, &'static [(&'static str, Suppression)]);

/// The reports in the formats that the providers document, and what each does.
const REPORTS: [Row; 28] = [
    ("ses", "bounce_mailbox_full", &[]),
    ("ses", "bounce_on_suppression_list", &[("alice", HardBounce)]),
    ("ses", "bounce_undetermined", &[]),
    ("ses", "bounce_with_dsn", &[("alice", HardBounce)]),
    ("ses", "bounce_without_dsn_of_two", &[("alice", HardBounce), ("bob", HardBounce)]),
    ("ses", "complaint_not_spam", &[]),
    ("ses", "complaint_with_feedback_report", &[("alice", Complaint)]),
    ("ses", "complaint_without_feedback_report", &[("alice", Complaint)]),
    ("ses", "delivery", &[]),
    ("ses", "event_bounce", &[("alice", HardBounce)]),
    ("ses", "event_complaint", &[("alice", Complaint)]),
    ("ses", "event_delivery_delay", &[]),
    ("ses", "subscription_succeeded", &[]),
    ("ses", "topic_validation", &[]),
    ("ses", "unsubscribe_confirmation", &[]),
    ("postmark", "bad_email_address", &[("alice", HardBounce)]),
    ("postmark", "delivery", &[]),
    ("postmark", "hard_bounce", &[("alice", HardBounce)]),
    ("postmark", "manually_deactivated", &[("alice", HardBounce)]),
    ("postmark", "soft_bounce", &[]),
    ("postmark", "spam_complaint", &[("alice", Complaint)]),
    ("postmark", "subscription_hard_bounce", &[("alice", HardBounce)]),
    ("postmark", "subscription_reactivated", &[]),
    ("postmark", "subscription_spam_complaint", &[("alice", Complaint)]),
    ("postmark", "subscription_unsubscribed", &[("alice", Unsubscribed)]),
    ("bounces", "bounce", &[("alice", HardBounce)]),
    ("bounces", "bounce_not_permanent", &[]),
    ("bounces", "complaint", &[("alice", Complaint)]),
];

#[tokio::test]
async fn each_documented_report_suppresses_whom_it_names_for_its_reason() {
    let h = Harness::watching_with(with_hooks(), &["alice", "bob"]).await;
    for (route, name, expected) in REPORTS {
        let body = fs::read(fixtures(route).join(format!("{name}.json"))).unwrap();
        for _ in 0..2 {
            assert_eq!(h.report(route, body.clone()).await, 200, "{route} {name}");
            let mut suppressed = h.suppressions().await;
            suppressed.sort_by(|a, b| a.0.cmp(&b.0));
            let expected: Vec<_> = expected.iter().map(|(id, reason)| ((*id).to_owned(), *reason)).collect();
            assert_eq!(suppressed, expected, "{route} {name}");
        }
        for id in ["alice", "bob"] {
            let address = format!("{id}@example.org").parse::<reconnectd::domain::EmailAddress>().unwrap();
            h.app.store.unsuppress(address.address_hash(), h.clock.now()).await.unwrap();
        }
    }
    let logged = h.log.text();
    assert!(logged.contains("address_suppressed") && !logged.to_lowercase().contains("alice@"), "{logged}");
}

#[test]
fn the_table_of_reports_has_every_fixture() {
    for route in ["ses", "postmark", "bounces"] {
        for file in fs::read_dir(fixtures(route)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(REPORTS.iter().any(|row| (row.0, row.1) == (route, name)), "{route} {name}");
        }
    }
}

#[tokio::test]
async fn without_a_password_in_the_configuration_there_are_no_hooks() {
    let h = Setup::default().start().await;
    for route in ["ses", "postmark", "bounces"] {
        for password in [None, Some(""), Some(PASSWORD)] {
            assert_eq!(h.post(route, password, "{}").await.status(), 404, "{route}");
        }
    }
}

#[tokio::test]
async fn the_eleventh_wrong_password_in_a_minute_gets_429_and_the_right_one_always_passes() {
    let h = Harness::watching_with(with_hooks(), &["alice"]).await;
    let before = h.contents().await;
    for route in ["ses", "postmark", "bounces"] {
        let missing = h.post(route, None, relay_report("alice@example.org", "bounce")).await;
        assert_eq!(missing.status(), 401);
        let challenge = missing.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
    }
    for number in 0..15 {
        let wrong = h.post("bounces", Some("sesame-0pe"), relay_report("alice@example.org", "bounce")).await;
        if number < 10 {
            assert_eq!(wrong.status(), 401, "{number}");
            assert!(wrong.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        } else {
            assert_eq!(
                (wrong.status().as_u16(), &wrong.headers()["retry-after"]),
                (429, &"60".parse().unwrap())
            );
        }
        let unknown = relay_report("nobody@example.org", "bounce");
        assert_eq!(h.report("bounces", unknown.clone()).await, 200, "the right one");
        assert_eq!(h.post("bounces", None, unknown).await.status(), 401, "SNS asks for the challenge first");
    }
    assert_eq!(h.contents().await, before);
    h.clock.advance(TimeDelta::minutes(1));
    assert_eq!(h.post("bounces", Some(""), "{}").await.status(), 401);
    assert!(!h.log.text().contains("sesame"));
}

#[tokio::test]
async fn reports_do_not_count_for_the_limit_of_the_pages_and_pages_not_for_reports() {
    let h = with_hooks().set("LINKS__REQUESTS_PER_MINUTE", 10).start().await;
    let unknown = relay_report("nobody@example.org", "bounce");
    for _ in 0..30 {
        assert_eq!(h.report("bounces", unknown.clone()).await, 200);
    }
    let root = format!("http://{}/", h.app.config.links.listen);
    for _ in 0..10 {
        assert_eq!(h.look(&root).await.status, 200);
    }
    assert_eq!(h.look(&root).await.status, 429);
    assert_eq!(h.report("bounces", unknown).await, 200);
}

#[tokio::test]
async fn a_report_about_an_unknown_address_leaves_nothing_behind() {
    let h = Harness::watching_with(with_hooks(), &["alice", "bob"]).await;
    h.app.store.remove_member(&"bob".into(), h.clock.now()).await.unwrap();
    let before = h.contents().await;
    for address in ["nobody@example.org", "bob@example.org", "Nobody <nobody@EXÁMPLE.example>"] {
        for kind in ["bounce", "complaint"] {
            let response = h.post("bounces", Some(PASSWORD), relay_report(address, kind)).await;
            assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, String::new()));
        }
    }
    assert_eq!(h.contents().await, before);
    assert!(!h.log.text().contains("address_suppressed"));
}

#[tokio::test]
async fn a_message_of_a_foreign_topic_is_refused_whatever_it_says() {
    let h = Harness::watching_with(with_hooks(), &["alice"]).await;
    let before = h.contents().await;
    let bounce = fs::read_to_string(fixtures("ses").join("bounce_with_dsn.json")).unwrap();
    let foreign = bounce.replace("reconnectd-bounces", "foreign");
    assert_eq!(h.refusal("ses", foreign).await.0, 403);
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation", "Other"] {
        let envelope =
            json!({ "Type": kind, "TopicArn": "foreign", "SubscribeURL": "https://evil.example/" });
        assert_eq!(h.refusal("ses", envelope.to_string()).await.0, 403, "{kind}");
    }
    assert_eq!(h.contents().await, before);

    let h = Harness::watching_with(Setup::default().set("BOUNCES__PASSWORD", PASSWORD), &["alice"]).await;
    assert_eq!(h.report("ses", bounce).await, 200, "an empty list allows every topic");
    assert_eq!(h.suppressions().await, [("alice".to_owned(), HardBounce)]);
}

#[tokio::test]
async fn a_confirmation_url_of_another_host_is_not_requested_and_its_token_is_not_logged() {
    let h = with_hooks().start().await;
    for url in [
        "https://evil.example/?Token=the-secret-token",
        "http://sns.us-west-2.amazonaws.com/?Token=the-secret-token",
        "https://sns.us-west-2.amazonaws.com.evil.example/?Token=the-secret-token",
        "https://127.0.0.1/?Token=the-secret-token",
    ] {
        let message = json!({ "Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "SubscribeURL": url });
        let (status, detail) = h.refusal("ses", message.to_string()).await;
        assert_eq!(status, 400);
        assert!(detail.starts_with("SubscribeURL: ") && !detail.contains("token"), "{detail}");
    }
    let logged = h.log.text();
    assert!(logged.contains("unreadable_report") && !logged.contains("the-secret-token"), "{logged}");
}

#[tokio::test]
async fn an_unreadable_report_is_refused_with_what_is_wrong_and_stores_nothing() {
    let h = Harness::watching_with(with_hooks(), &["alice"]).await;
    let before = h.contents().await;
    let alice = "alice@example.org";
    let sns = |message: Value| {
        json!({ "Type": "Notification", "TopicArn": TOPIC, "Message": message.to_string() }).to_string()
    };
    for (route, body, detail) in [
        ("bounces", "{\"email\": \"alice@example.org\"".to_owned(), "not valid JSON (line 1, column 29)"),
        ("bounces", json!({ "email": [alice] }).to_string(), "email has the wrong type"),
        (
            "bounces",
            json!({ "email": alice, "kind": alice }).to_string(),
            "kind: must be \"bounce\" or \"complaint\"",
        ),
        ("postmark", json!({ "Email": alice }).to_string(), "RecordType is missing"),
        ("postmark", String::new(), "not valid JSON (line 1, column 0)"),
        (
            "ses",
            sns(json!({ "mail": { "destination": [alice] } })),
            "Message of SNS: notificationType is missing",
        ),
        ("ses", "alice@example.org".to_owned(), "not valid JSON (line 1, column 1)"),
    ] {
        assert_eq!(h.refusal(route, body).await, (400, detail.to_owned()));
    }
    assert_eq!(h.refusal("bounces", " ".repeat(512 * 1024 + 1)).await.0, 413);
    assert_eq!(h.contents().await, before);
    assert!(!h.log.text().contains(alice));
}

#[tokio::test]
async fn only_posts_are_reports() {
    let h = with_hooks().start().await;
    let url = format!("http://{}/hooks/ses", h.app.config.links.listen);
    let response = Client::new().get(&url).basic_auth("any", Some(PASSWORD)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let response = Client::new().get(&url).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(h.post("other", Some(PASSWORD), "{}").await.status(), 404);
}

#[tokio::test]
async fn behind_a_path_of_the_public_url_the_hooks_are_there_and_at_the_root() {
    let setup = with_hooks().set("LINKS__PUBLIC_URL", "https://www.example.org/health");
    let h = Harness::watching_with(setup, &["alice"]).await;
    let listener = h.app.config.links.listen;
    for base in ["", "/health"] {
        let url = format!("http://{listener}{base}/hooks/bounces");
        let request = Client::new().post(url).basic_auth("any", Some(PASSWORD));
        let response = request.body(relay_report("nobody@example.org", "bounce")).send().await.unwrap();
        assert_eq!(response.status(), 200, "{base}");
    }
}
