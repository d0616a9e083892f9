//! `check`.

use crate::harness::{Ended, Home, mails, simulator};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

/// Whether the line of `item` is `ok`, and its message.
fn line<'a>(ended: &'a Ended, item: &str) -> (bool, &'a str) {
    let line = ended.stdout.lines().find_map(|line| {
        let (level, rest) = line.split_once(char::is_whitespace)?;
        let words = rest.trim_start().strip_prefix(item)?;
        Some((level == "ok", words.trim_start()))
    });
    line.unwrap_or_else(|| panic!("no line for {item}:\n{}", ended.stdout))
}

#[tokio::test]
async fn a_good_setup_passes_every_check_and_the_test_email_arrives() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    let checked = home.run(&["check", "--send-test", "someone@example.org"]).await.well();
    for item in [
        "configuration",
        "database",
        "keys",
        "gateway",
        "brand",
        "pages",
        "templates",
        "reading ease",
        "mail server",
        "SPF",
        "DMARC",
        "domains",
        "public URL",
        "schedule",
        "links listener",
        "admin listener",
        "test mail",
    ] {
        assert!(line(&checked, item).0, "{item}: {}", checked.stdout);
    }
    // An https URL implies a proxy, which the defaults do not count.
    assert!(line(&checked, "public URL").1.contains("links.trusted_proxies"), "{}", checked.stdout);
    let mails = mails(&simulator, 1).await;
    assert_eq!(mails[0].to, ["someone@example.org"]);
    assert!(mails[0].subject().is_some());
    assert_eq!(home.json(&["check"]).await.len(), checked.stdout.lines().count() - 1);
}

#[tokio::test]
async fn the_check_warns_about_what_others_can_reach() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("links.listen", "[::]:0").set("links.trusted_proxies", 1).set("admin.listen", "0.0.0.0:0");
    home.run(&["keys", "generate"]).await.well();
    let file = home.path("reconnectd.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let lines = home.json(&["check"]).await;
    for item in ["configuration", "links listener", "admin listener"] {
        let line = lines.iter().find(|line| line["check"] == item).unwrap();
        assert_eq!((&line["level"], &line["ok"]), (&json!("warning"), &json!(true)), "{item}");
    }
    home.set("links.trusted_proxies", 0);
    let lines = home.json(&["check"]).await;
    let ok = |item: &str| lines.iter().any(|line| line["check"] == item && line["level"] == "ok");
    assert!(ok("configuration") && ok("links listener") && !ok("admin listener"), "{lines:?}");
}

#[tokio::test]
async fn missing_ca_certificates_are_reported_with_the_remedy() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("gateway.url", "https://127.0.0.1:9/")
        .variable("SSL_CERT_FILE", "/nonexistent")
        .variable("SSL_CERT_DIR", "/nonexistent");
    home.run(&["keys", "generate"]).await.well();
    let checked = home.run(&["check"]).await.badly(1, &[]);
    assert!(line(&checked, "gateway").1.contains("ca-certificates"), "{}", checked.stdout);
    home.run(&["once"]).await.badly(2, &["ca-certificates"]);
}

#[tokio::test]
async fn the_check_prints_the_sign_in_hosts_seen_while_the_list_is_empty_or_lacks_them() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    let none: Vec<&str> = Vec::new();
    home.set("sweep.confirm_sweeps", 1)
        .set("links.public_url", "http://127.0.0.1:8080")
        .set("gateway.oauth_hosts", none);
    home.enrol(&["alice"]).await;
    let line = async |home: &Home| {
        let lines = home.json(&["check"]).await;
        let line = lines.into_iter().find(|line| line["check"] == "sign-in hosts").unwrap();
        (line["level"].clone(), line["hosts"].clone())
    };
    assert_eq!(line(&home).await, (json!("warning"), Value::Null));
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    home.run(&["once"]).await.well();
    assert_eq!(mails(&simulator, 1).await.len(), 1);
    assert_eq!(line(&home).await, (json!("warning"), json!(["127.0.0.1"])));
    home.set("gateway.oauth_hosts", vec!["127.0.0.1"]);
    assert_eq!(line(&home).await, (json!("ok"), Value::Null));
    home.set("gateway.oauth_hosts", vec!["login.example.org"]);
    assert_eq!(line(&home).await, (json!("warning"), json!(["127.0.0.1"])));
}

#[tokio::test]
async fn an_unreachable_server_fails_its_check_and_the_other_checks_still_run() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // The listener is dropped at once, so the port refuses connections.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.set("gateway.url", format!("http://{nobody}/v1/graphql"))
        .set("email.smtp.port", i64::from(nobody.port()));
    let checked = home.run(&["check"]).await.badly(1, &[]);
    assert!(line(&checked, "database").0 && line(&checked, "templates").0, "{}", checked.stdout);
    for (item, words) in
        [("keys", "keys generate"), ("gateway", "gateway.url"), ("mail server", "email.smtp")]
    {
        let (ok, message) = line(&checked, item);
        assert!(!ok && message.contains(words), "{item}: {message}");
    }
}
