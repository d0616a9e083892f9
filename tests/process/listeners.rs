//! What the daemon serves: health and metrics for operators, pages for members.

use crate::harness::{Daemon, Home, PATIENCE, mails, simulator, until, until_true};
use reconnectd::sim::{Fault, FaultKind, TestBrowser};
use reqwest::{
    Client,
    header::{self, HeaderMap},
    redirect,
};

fn browser() -> Client {
    Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE).build().unwrap()
}

async fn get(http: &Client, daemon: &Daemon, path: &str) -> (u16, String) {
    let answer = http.get(format!("http://{}{path}", daemon.admin)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn health_and_metrics_are_answered_on_the_admin_listener_alone() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice", "bob"]).await;
    let daemon = home.daemon().await;
    let http = browser();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&http, &daemon, path).await.0, 200, "{path}");
    }
    let (_, ready) = get(&http, &daemon, "/readyz").await;
    for name in ["database_file", "sweep", "recheck", "plan", "deliver", "leases", "clock", "link_requests"] {
        assert!(ready.contains(&format!("\nloop={name} started_at=")), "{name} is not in\n{ready}");
    }
    let metrics = until("a sweep to be counted", async || {
        let (status, text) = get(&http, &daemon, "/metrics").await;
        assert_eq!(status, 200);
        (!text.contains("reconnectd_sweeps_total{outcome=\"complete\"} 0\n")).then_some(text)
    })
    .await;
    let counted = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
    };
    assert!(counted("reconnectd_members_polled_total{outcome=\"clear\"}") >= 2.0);
    assert!((counted("reconnectd_transitions_total{to=\"CONNECTED\"}") - 6.0).abs() < f64::EPSILON);
    assert!(counted("reconnectd_sweep_duration_seconds_count") >= 1.0);
    assert!(counted("reconnectd_token_commit_duration_seconds_count") >= 2.0);
    for secret in ["alice", "bob", "@example.org"] {
        assert!(!metrics.contains(secret), "{secret} is in\n{metrics}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = http.get(format!("http://{}{path}", daemon.links)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path} on the public listener");
    }
    daemon.running.stopped().await.well();
}

/// Holds what every answer to a member carries.
#[track_caller]
fn assert_protected(headers: &HeaderMap) {
    let value = |name: header::HeaderName| {
        let value = headers.get(&name).unwrap_or_else(|| panic!("no {name} in {headers:?}"));
        value.to_str().unwrap().to_owned()
    };
    assert_eq!(value(header::CACHE_CONTROL), "no-store");
    assert_eq!(value(header::REFERRER_POLICY), "no-referrer");
    assert_eq!(value(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        assert_eq!(value(header::HeaderName::from_static(name)), "same-origin", "{name}");
    }
    assert!(value(header::HeaderName::from_static("permissions-policy")).contains("geolocation=()"));
    let policy = value(header::CONTENT_SECURITY_POLICY);
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for directive in policy.split(';').filter(|directive| !directive.trim().starts_with("form-action")) {
        assert!(!directive.contains("http") && !directive.contains('*'), "a foreign source: {directive}");
        assert!(!directive.contains("unsafe"), "{directive}");
    }
    let is_redirect = headers.contains_key(header::LOCATION);
    assert_eq!(headers.contains_key(header::SET_COOKIE), is_redirect, "the resume cookie, and no other one");
}

#[tokio::test]
async fn readiness_names_the_last_failed_write_of_a_loop() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let mut database = home.database().await;
    database.refuse_updates("sweeps").await.unwrap();
    let daemon = home.daemon().await;
    let http = browser();
    until_true("a failed sweep", async || {
        get(&http, &daemon, "/readyz").await.1.contains(" last_failure=database_failed\n")
    })
    .await;
    database.accept_updates("sweeps").await.unwrap();
    until_true("a sweep that succeeds", async || {
        let (_, ready) = get(&http, &daemon, "/readyz").await;
        let sweep = ready.lines().find(|line| line.starts_with("loop=sweep ")).unwrap();
        sweep.contains("last_failure=database_failed") && !sweep.contains("last_result=failed")
    })
    .await;
}

#[tokio::test]
async fn a_sweep_whose_last_page_could_not_be_recorded_continues_when_the_database_works_again() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // Once a year, so that the sweep is not covered by the next one.
    home.set("sweep.schedule", "0 0 0 1 1 *");
    home.enrol(&["alice"]).await;
    simulator.world().add_fault(Fault::new(FaultKind::Delay { ms: 1_500 }).times(2));
    let mut database = home.database().await;
    let daemon = home.daemon().await;
    until_true("the last page", async || database.numbers("sweeps", "is_handed_out").await.unwrap() == [1])
        .await;
    database.refuse_updates("sweeps").await.unwrap();
    let http = browser();
    until_true("a failed sweep", async || {
        get(&http, &daemon, "/readyz").await.1.contains(" last_failure=database_failed\n")
    })
    .await;
    database.accept_updates("sweeps").await.unwrap();
    until_true("the end of the sweep", async || {
        home.json(&["status"]).await[0]["last_sweep"]["complete"] == serde_json::json!(true)
    })
    .await;
}

#[tokio::test]
async fn every_response_to_a_member_forbids_caches_referrers_frames_and_foreign_sources() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = home.daemon().await;
    let link = daemon.link(&mails(&simulator, 1).await[0]);
    let http = browser();

    let page = http.get(&link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_protected(page.headers());
    let html = page.text().await.unwrap();
    assert!(!html.contains("<script") && !html.contains("alice"), "{html}");
    let head = http.head(&link).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_protected(head.headers());
    let unknown = http.get(format!("{link}x")).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert_protected(unknown.headers());
    let person = TestBrowser::new().unwrap();
    let pressed = person.press(&link, &[]).await.unwrap();
    assert_eq!(pressed.status, 303);
    assert!(pressed.location.unwrap().contains("/oauth/authorize?"));
    assert_protected(&pressed.headers);
    let again = TestBrowser::new().unwrap().press(&link, &[]).await.unwrap();
    assert_eq!(again.status, 410);
    assert_protected(&again.headers);
    until_true("the redemption to be counted", async || {
        get(&http, &daemon, "/metrics")
            .await
            .1
            .contains("reconnectd_redemptions_total{outcome=\"redirected\"} 1")
    })
    .await;
    daemon.running.stopped().await.well();
}
