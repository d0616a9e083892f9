//! Tokens, and what the audit tells.

use super::bench::Bench;
use crate::harness::PATIENCE;
use reqwest::{Client, Response, StatusCode, header};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// As in a file.
fn value(text: &str) -> toml::Value {
    format!("value = {text}").parse::<toml::Table>().unwrap().remove("value").unwrap()
}

async fn get(admin: SocketAddr, path: &str, token: Option<&str>, host: Option<&str>) -> Response {
    let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let mut request = http.get(format!("http://{admin}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(host) = host {
        request = request.header(header::HOST, host);
    }
    request.send().await.unwrap()
}

async fn status(admin: SocketAddr, token: Option<&str>, host: Option<&str>) -> StatusCode {
    let response = get(admin, "/api/v1/status", token, host).await;
    let status = response.status();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    assert_eq!(kind == "application/problem+json", !status.is_success(), "{status}: {kind}");
    if status == StatusCode::UNAUTHORIZED {
        assert!(response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
    }
    status
}

#[tokio::test]
async fn without_a_configured_token_the_api_is_closed_and_health_stays_open() {
    let mut bench = Bench::new().await;
    bench.home.set("telemetry.log", "info");
    let daemon = bench.home.daemon().await;
    for token in [None, Some("sesame")] {
        assert_eq!(status(daemon.admin, token, None).await, StatusCode::FORBIDDEN);
    }
    let problem: Value = get(daemon.admin, "/api/v1/status", None, None).await.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("reconnectd tokens generate"), "{problem}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(get(daemon.admin, path, None, Some("prometheus.example")).await.status(), 200, "{path}");
    }
    daemon.running.stopped().await.well();
}

#[tokio::test]
async fn a_generated_token_opens_the_api_under_an_own_host() {
    let mut bench = Bench::new().await;
    let made = bench.json("tokens generate --name grafana --scope read").await.remove(0);
    let token = made["token"].as_str().unwrap().to_owned();
    let entry = format!(
        "[{{ name = \"{}\", sha256 = \"{}\", scope = \"{}\" }}]",
        made["name"].as_str().unwrap(),
        made["sha256"].as_str().unwrap(),
        made["scope"].as_str().unwrap()
    );
    bench
        .home
        .set("admin.tokens", value(&entry))
        .set("telemetry.log", "info")
        .set("admin.hosts", value("[\"admin.example.org\"]"));
    let daemon = bench.home.daemon().await;
    let admin = daemon.admin;
    assert_eq!(status(admin, Some(&token), None).await, StatusCode::OK);
    assert_eq!(status(admin, Some(&token), Some("admin.example.org")).await, StatusCode::OK);
    assert_eq!(status(admin, Some(&token), Some("evil.example")).await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(status(admin, None, None).await, StatusCode::UNAUTHORIZED);
    for number in 1..=11 {
        let expected = if number <= 10 { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(status(admin, Some("rcd_wrong"), None).await, expected, "{number}");
    }
    assert_eq!(status(admin, Some(&token), None).await, StatusCode::OK, "the right token is never limited");
    let ended = daemon.running.stopped().await.well();
    assert!(!ended.stderr.contains(&token) && !ended.stderr.contains("rcd_wrong"));
}

#[tokio::test]
async fn the_line_that_is_printed_with_a_token_is_what_the_configuration_takes() {
    let mut bench = Bench::new().await;
    let printed = bench.done("tokens generate --name ops.team-1 --scope write").await;
    let (token, line) = printed.trim_end().split_once('\n').unwrap();
    bench.home.set("telemetry.log", "info").variable("RECONNECTD__ADMIN__TOKENS", &format!("[{line}]"));
    let daemon = bench.home.daemon().await;
    assert_eq!(status(daemon.admin, Some(token), None).await, StatusCode::OK);
    daemon.running.stopped().await.well();
}

#[tokio::test]
async fn an_invalid_token_in_the_configuration_is_named() {
    let mut bench = Bench::new().await;
    let digest = "0".repeat(64);
    let entry = |name: &str, digest: &str, scope: &str| {
        format!("{{ name = \"{name}\", sha256 = \"{digest}\", scope = \"{scope}\" }}")
    };
    let good = entry("a", &digest, "read");
    for (second, place) in [
        (entry("b", &digest[1..], "read"), "[1].sha256"),
        (entry("b", &digest, "all"), "[1].scope"),
        (entry("b b", &digest, "read"), "[1].name"),
        (good.clone(), "[1].name"),
        ("{ name = \"b\" }".to_owned(), "sha256"),
    ] {
        bench.home.set("admin.tokens", value(&format!("[{good}, {second}]")));
        let error = bench.fails(2, "config print").await;
        assert!(error.contains("admin.tokens") && error.contains(place), "{second}: {error}");
        assert!(!error.contains(&digest[1..]), "an error repeats no digest: {error}");
    }
    for wrong in ["\"sesame\"", "[\"sesame\"]"] {
        bench.home.set("admin.tokens", value(wrong));
        let error = bench.fails(2, "config print").await;
        assert!(error.contains("admin.tokens") && !error.contains("sesame"), "{error}");
    }
}

#[tokio::test]
async fn each_command_that_writes_leaves_a_row_with_its_user() {
    let bench = Bench::new().await;
    bench.pass().await;
    for line in [
        "members pause alice",
        "members resume alice",
        "suppress add alice@example.org",
        "suppress remove alice@example.org",
        "links revoke --member alice",
        "members retry alice",
        "connections disconnect epic --member alice --yes",
        "members remove --erase bob",
    ] {
        bench.done(line).await;
    }
    let hold = bench.json("hold add --reason test --source epic").await.remove(0);
    bench.done(&format!("hold release {}", hold["hold_id"].as_str().unwrap())).await;
    let rows = bench.json("audit list").await;
    let user = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let actor = format!("command:{}", String::from_utf8(user).unwrap().trim());
    assert!(rows.iter().all(|row| row["actor"] == json!(actor)), "{actor}: {rows:?}");
    let told: Vec<_> =
        rows.iter().rev().map(|row| (row["action"].as_str().unwrap(), &row["member_id"])).collect();
    let alice = json!("alice");
    let erased = &rows.iter().find(|row| row["action"] == "member_erase").unwrap()["member_id"];
    assert!(erased.as_str().unwrap().starts_with("erased:"), "{erased}");
    let null = Value::Null;
    let expected = [
        ("member_pause", &alice),
        ("member_resume", &alice),
        ("suppress_add", &alice),
        ("suppress_remove", &alice),
        ("links_revoke", &alice),
        ("member_retry", &alice),
        ("connection_disconnect", &alice),
        ("member_erase", erased),
        ("hold_add", &null),
        ("hold_release", &null),
    ];
    let since_setup = &told[told.len() - expected.len()..];
    assert_eq!(since_setup, expected);
    assert!(rows.iter().all(|row| row["member_id"] != "bob"), "{rows:?}");
    let hold_rows: Vec<_> = rows.iter().filter(|row| row["target"] == hold["hold_id"]).collect();
    assert_eq!(hold_rows.len(), 2);
    assert_eq!(bench.json("audit list --member alice --since 1h").await.len(), 7);
    assert!(!serde_json::to_string(&rows).unwrap().contains('@'), "{rows:?}");
}
