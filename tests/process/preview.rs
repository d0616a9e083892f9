//! `notices preview`, and templates that tell too much.

use crate::harness::{Home, simulator};
use serde_json::Value;
use std::fs;

#[tokio::test]
async fn every_mail_can_be_seen_without_database_keys_or_network_and_its_link_leads_nowhere() {
    let home = Home::bare();
    let shown = home.run(&["notices", "preview", "--kind", "expired"]).await.well().stdout;
    assert!(shown.starts_with("Example Health: one of your connections needs your attention\n\n"), "{shown}");
    assert!(shown.contains("https://reconnect.example.org/r/SAMPLE-leads-nowhere\n"), "{shown}");

    let all = home.json(&["notices", "preview"]).await;
    let which: Vec<_> = all.iter().map(|mail| format!("{} {}", mail["locale"], mail["kind"])).collect();
    assert!(
        which.contains(&"\"es\" \"last_reminder\"".to_owned()) && which.len().is_multiple_of(2),
        "{which:?}"
    );
    assert!(all.iter().all(|mail| mail["disclosure"] == "generic" && mail["html"].is_string()));
    for file in ["reconnectd.db", "reconnectd.keys"] {
        assert!(!home.path(file).exists(), "{file}");
    }
}

#[tokio::test]
async fn mails_are_written_to_a_folder_to_look_through_and_one_part_to_a_file() {
    let home = Home::bare();
    home.run(&["notices", "preview", "--output", "mails"]).await.well();
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap();
    assert!(read("mails/es/several.txt").contains("2 de las conexiones"));
    assert!(read("mails/en/recovered.eml").contains("Auto-Submitted: auto-generated\r\n"));
    let index = read("mails/index.html");
    for href in index.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(home.path("mails").join(href).is_file(), "{href}");
    }
    let line =
        ["notices", "preview", "--kind", "several", "--count", "4", "--part", "html", "--output", "one"];
    home.run(&line).await.well();
    assert!(read("one").starts_with("<!doctype html>") && read("one").contains("4 of the connections"));
}

#[tokio::test]
async fn the_disclosure_and_the_operators_templates_are_those_in_effect() {
    let mut home = Home::bare();
    fs::create_dir_all(home.path("own/en")).unwrap();
    home.write(
        "own/en/expired.subject",
        "Hello from {{ operator }}{% if sources %}: {{ sources }}{% endif %}",
    );
    home.set("notices.templates", home.path("own").display().to_string()).set("notices.disclosure", "name");
    let mail: Value = home.json(&["notices", "preview", "--kind", "expired"]).await.remove(0);
    assert_eq!(mail["subject"], "Hello from Example Health: Example Clinic");
    assert!(mail["text"].as_str().unwrap().contains("Your connection to Example Clinic has run out"));
}

#[tokio::test]
async fn what_there_is_not_is_a_usage_error_that_names_what_there_is() {
    let home = Home::bare();
    for (arguments, words) in [
        (&["--kind", "expire"][..], &["\"expire\"", "expired, disconnected, several", "recovered"][..]),
        (&["--locale", "fr"], &["\"fr\"", "en, es"]),
        (&["--kind", "expired", "--count", "2"], &["\"expired\"", "one connection"]),
        (&["--part", "eml"], &["--output"]),
    ] {
        let line: Vec<&str> = ["notices", "preview"].iter().chain(arguments).copied().collect();
        home.run(&line).await.badly(2, words);
    }
    home.run(&["notices", "preview", "--locale", "es-MX", "--kind", "expired"]).await.well();
}

#[tokio::test]
async fn templates_that_tell_too_much_fail_the_check_line_by_line_and_no_daemon_starts_with_them() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    fs::create_dir_all(home.path("own/en")).unwrap();
    home.write("own/en/expired.subject", "Your connection EXPIRED");
    home.write("own/en/reminder.txt", "Hello,\n\n{{ sources }} needs you: {{ link }}");
    home.set("notices.templates", home.path("own").display().to_string());

    let checked = home.run(&["check"]).await.badly(1, &[]);
    for expected in [
        "own/en/expired.subject:1: the subject tells the status, which notices.disclosure = \"generic\" forbids",
        "own/en/expired.subject:1: the subject tells the status (\"EXPIRED\")",
        "own/en/reminder.txt:3: the text has a hole where it says {{ sources }}",
    ] {
        let told = checked.stdout.lines().any(|line| line.starts_with("FAILED") && line.contains(expected));
        assert!(told, "{expected}: {}", checked.stdout);
    }
    for command in ["run", "once"] {
        home.run(&[command]).await.badly(2, &["own/en/expired.subject", "tells the status"]);
    }
    // It can be seen all the same, and what is wrong with it is said.
    let seen = home.run(&["notices", "preview", "--kind", "expired"]).await.badly(1, &["tells the status"]);
    assert!(seen.stdout.starts_with("Your connection EXPIRED\n"), "{}", seen.stdout);

    home.set("notices.disclosure", "kind").set("notices.locale", "fr");
    let checked = home.run(&["check"]).await.well().stdout;
    assert!(
        checked.contains("none for notices.locale = \"fr\", so that members without a locale get \"en\""),
        "{checked}"
    );
}
