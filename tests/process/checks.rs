//! `check`: a line for each thing that a deployment stands on.

use crate::harness::{Ended, Home, mails, simulator};
use std::net::TcpListener;

/// Whether the line of `item` says `ok`, and its words.
fn line<'a>(ended: &'a Ended, item: &str) -> (bool, &'a str) {
    let line = ended.stdout.lines().find_map(|line| {
        let (verdict, rest) = line.split_once(char::is_whitespace)?;
        let words = rest.trim_start().strip_prefix(item)?;
        Some((verdict == "ok", words.trim_start()))
    });
    line.unwrap_or_else(|| panic!("no line for {item}:\n{}", ended.stdout))
}

#[tokio::test]
async fn a_good_setup_is_checked_line_by_line_and_the_test_mail_arrives() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    let checked = home.run(&["check", "--send-test", "someone@example.org"]).await.well();
    for item in [
        "configuration",
        "database",
        "keys",
        "gateway",
        "templates",
        "mail server",
        "public URL",
        "test mail",
    ] {
        assert!(line(&checked, item).0, "{item}: {}", checked.stdout);
    }
    // Links that start with https lead through a proxy, which the defaults do not count.
    assert!(line(&checked, "public URL").1.contains("links.trusted_proxies"), "{}", checked.stdout);
    let mails = mails(&simulator, 1).await;
    assert_eq!(mails[0].to, ["someone@example.org"]);
    assert!(mails[0].subject().is_some());
    assert_eq!(home.json(&["check"]).await.len(), checked.stdout.lines().count() - 1);
}

#[tokio::test]
async fn what_cannot_be_reached_fails_the_check_with_what_to_do_and_the_rest_is_checked_still() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // Freed at once: nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.set("gateway.url", format!("http://{nobody}/v1/graphql"))
        .set("email.smtp.port", i64::from(nobody.port()));
    let checked = home.run(&["check"]).await.badly(1, &["not everything is in order"]);
    assert!(line(&checked, "database").0 && line(&checked, "templates").0, "{}", checked.stdout);
    for (item, words) in
        [("keys", "keys generate"), ("gateway", "gateway.url"), ("mail server", "email.smtp")]
    {
        let (ok, said) = line(&checked, item);
        assert!(!ok && said.contains(words), "{item}: {said}");
    }
}
