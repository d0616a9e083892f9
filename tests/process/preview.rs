//! `notices preview`, and an operator's templates.

use crate::harness::{Home, simulator};
use serde_json::Value;
use std::fs;

#[tokio::test]
async fn every_email_renders_without_database_keys_or_network_and_its_link_leads_nowhere() {
    let home = Home::bare();
    let shown = home.run(&["notices", "preview", "--kind", "expired"]).await.well().stdout;
    assert!(shown.contains("https://reconnect.example.org/r/SAMPLE-leads-nowhere\n"), "{shown}");

    let all = home.json(&["notices", "preview"]).await;
    let which: Vec<_> = all.iter().map(|mail| format!("{} {}", mail["locale"], mail["kind"])).collect();
    assert!(
        which.contains(&"\"es\" \"last_reminder\"".to_owned()) && which.len().is_multiple_of(2),
        "{which:?}"
    );
    let shared = all.iter().find(|mail| mail["locale"] == "en" && mail["kind"] == "shared_last_reminder");
    let shared = shared.unwrap()["text"].as_str().unwrap();
    assert!(["Ann (", "Ben (", "Person 3 of 3 (", "last reminder"].iter().all(|word| shared.contains(word)));
    assert_eq!(shared.matches("/r/SAMPLE-leads-nowhere").count(), 3, "{shared}");
    assert!(all.iter().all(|mail| mail["disclosure"] == "generic" && mail["html"].is_string()));
    for file in ["reconnectd.db", "reconnectd.keys"] {
        assert!(!home.path(file).exists(), "{file}");
    }
}

#[tokio::test]
async fn emails_are_written_to_a_folder_and_one_part_to_a_file() {
    let home = Home::bare();
    home.run(&["notices", "preview", "--output", "emails"]).await.well();
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap();
    assert!(read("emails/es/several.txt").contains("/r/SAMPLE-leads-nowhere"));
    assert!(read("emails/en/recovered.eml").contains("Auto-Submitted: auto-generated\r\n"));
    assert!(read("emails/es/page-expired.html").contains("data-state=\"expired\""));
    let index = read("emails/index.html");
    for href in index.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(home.path("emails").join(href).is_file(), "{href}");
    }
    let line =
        ["notices", "preview", "--kind", "several", "--count", "4", "--part", "html", "--output", "one"];
    home.run(&line).await.well();
    assert!(read("one").starts_with("<!doctype html>") && read("one").contains(">4 of "));
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
    assert!(mail["text"].as_str().unwrap().contains("Example Clinic"));
}

#[tokio::test]
async fn an_unknown_kind_or_locale_is_a_usage_error_that_lists_the_known_ones() {
    let home = Home::bare();
    for (arguments, words) in [
        (&["--kind", "expire"][..], &["\"expire\"", "expired, disconnected, several", "recovered"][..]),
        (&["--locale", "fr"], &["\"fr\"", "en, es"]),
        (&["--kind", "expired", "--count", "2"], &["\"expired\"", "one connection"]),
        (&["--kind", "shared", "--count", "1"], &["\"shared\"", "two people"]),
        (&["--part", "eml"], &["--output"]),
    ] {
        let line: Vec<&str> = ["notices", "preview"].iter().chain(arguments).copied().collect();
        home.run(&line).await.badly(2, words);
    }
    home.run(&["notices", "preview", "--locale", "es-MX", "--kind", "expired"]).await.well();
}

#[tokio::test]
async fn a_template_that_prints_an_undefined_variable_fails_the_check_and_no_daemon_starts_with_it() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    fs::create_dir_all(home.path("own/en")).unwrap();
    home.write("own/en/reminder.txt", "Hello,\n\n{{ sources }} needs you: {{ link }}");
    home.set("notices.templates", home.path("own").display().to_string());
    let place = "own/en/reminder.txt:3: ";
    let checked = home.run(&["check"]).await.badly(1, &[]);
    let told = checked.stdout.lines().any(|line| line.starts_with("FAILED") && line.contains(place));
    assert!(told, "{}", checked.stdout);
    for command in [&["run"][..], &["once"], &["notices", "preview"]] {
        home.run(command).await.badly(2, &[place]);
    }
    home.set("notices.disclosure", "kind");
    home.run(&["check"]).await.well();
}

#[tokio::test]
async fn the_check_warns_about_revealing_words_unused_files_and_a_locale_without_templates() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.run(&["keys", "generate"]).await.well();
    fs::create_dir_all(home.path("own/en")).unwrap();
    home.write("own/en/first.subject", "Your connection EXPIRED");
    home.write("own/en/expired.subject", "Hello");
    home.write(
        "own/en/invited.txt",
        "Reauthentication is required to reestablish the interrupted synchronization.\n\n{{ link }}\n\n\
         https://tracker.example.net/x\n\n{{ unsubscribe }}\n",
    );
    home.set("notices.templates", home.path("own").display().to_string()).set("notices.locale", "fr");
    home.set("notices.app_url", "https://app.example.net");
    let checked = home.run(&["check"]).await.well().stdout;
    let expected = [
        "own/en/first.subject:1: ",
        "own/en/expired.subject: ",
        "notices.locale",
        "own/en/invited.txt: grade ",
        "notices.app_url is of example.net",
    ];
    for expected in expected {
        let warned = checked.lines().any(|line| line.starts_with("warning") && line.contains(expected));
        assert!(warned, "{expected}: {checked}");
    }
    let leads_elsewhere = |checked: &str| checked.contains("own/en/invited.txt leads to tracker.example.net");
    assert!(!leads_elsewhere(&checked), "the app has the same domain: {checked}");
    home.set("notices.app_url", "");
    let checked = home.run(&["check"]).await.well().stdout;
    assert!(leads_elsewhere(&checked), "{checked}");
    let shown = home.run(&["notices", "preview", "--kind", "expired"]).await.well();
    assert!(shown.stdout.starts_with("Your connection EXPIRED\n"), "{}", shown.stdout);
}
