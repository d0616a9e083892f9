//! Errors: the exit code, the location, and the names on standard error.

use crate::harness::{Home, simulator};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

#[tokio::test]
async fn an_invalid_setting_is_reported_at_its_line_by_every_command() {
    let cases: [(&str, toml::Value, &[&str]); 8] = [
        ("sweep.shedule", "* * * * * *".into(), &["sweep.shedule", "sweep.schedule"]),
        ("sweep.schedule", "often".into(), &["sweep.schedule"]),
        ("sweep.schedule", "0 0 31 2 * *".into(), &["sweep.schedule"]),
        ("sweep.confirm_sweeps", "two".into(), &["sweep.confirm_sweeps"]),
        ("gateway.timeout", 30.into(), &["gateway.timeout"]),
        ("email.smtp.host", "mail.example.org".into(), &["email.smtp.tls", "starttls"]),
        ("links.public_url", "http://members.example.org".into(), &["links.public_url", "https"]),
        ("database.url", "mysql://db".into(), &["database.url", "sqlite://PATH"]),
    ];
    for (key, value, words) in cases {
        let mut home = Home::bare();
        home.set("email.smtp.tls", "none").set("email.smtp.host", "localhost").set(key, value);
        home.run(&["keys", "generate"]).await;
        let file = fs::read_to_string(home.path("reconnectd.toml")).unwrap();
        let name = words[0].rsplit('.').next().unwrap();
        let line = 1 + file.lines().position(|line| line.starts_with(&format!("{name} ="))).unwrap();
        let location = format!("reconnectd.toml:{line}:");
        for command in ["run", "once", "status"] {
            home.run(&[command]).await.badly(2, words).badly(2, &[&location]);
        }
    }
}

#[tokio::test]
async fn an_invalid_variable_is_reported_by_name() {
    let mut home = Home::bare();
    home.variable("RECONNECTD__SWEEP__SHEDULE", "* * * * * *");
    home.run(&["status"]).await.badly(2, &["RECONNECTD__SWEEP__SHEDULE", "sweep.schedule"]);
}

#[tokio::test]
async fn a_configuration_file_that_is_missing_or_not_toml_is_reported() {
    let home = Home::bare();
    fs::remove_file(home.path("reconnectd.toml")).unwrap();
    home.run(&["status"]).await.badly(2, &["reconnectd.toml", "--config"]);
    home.write("reconnectd.toml", "[sweep\nschedule = 1");
    home.run(&["status"]).await.badly(2, &["reconnectd.toml:1:", "TOML"]);
}

#[tokio::test]
async fn what_describes_the_program_needs_no_configuration() {
    let mut home = Home::bare();
    home.set("admin.tokn", "hush");
    home.run(&["status"]).await.badly(2, &["tokn = …"]);
    assert!(home.run(&["config", "schema"]).await.well().stdout.contains("\"$schema\""));
    assert!(home.run(&["completions", "bash"]).await.well().stdout.contains("--send-test"));
    let pages = home.path("pages").display().to_string();
    assert!(home.run(&["man", &pages]).await.well().stdout.contains("pages/reconnectd-config-schema.1\n"));
}

#[tokio::test]
async fn a_database_whose_folder_is_missing_is_reported() {
    let mut home = Home::bare();
    home.run(&["keys", "generate"]).await.well();
    let folder = home.path("nowhere");
    home.set("database.url", format!("sqlite://{}/x.db", folder.display()));
    for command in ["run", "once", "status"] {
        home.run(&[command]).await.badly(2, &["database.url", &folder.display().to_string()]);
    }
    home.set("database.url", format!("sqlite://{}", home.write("text", "no database at all").display()));
    home.run(&["status"]).await.badly(2, &["database.url"]);
}

#[tokio::test]
async fn a_key_ring_that_is_missing_invalid_or_exposed_is_reported_with_the_remedy() {
    let home = Home::bare();
    let ring = home.path("reconnectd.keys");
    home.write("members.jsonl", r#"{"member_id":"alice","email":"alice@example.org","refresh_token":"rt"}"#);
    let commands: [&[&str]; 3] = [&["run"], &["once"], &["members", "import", "members.jsonl"]];
    for command in commands {
        home.run(command).await.badly(2, &["keys.file", &ring.display().to_string(), "keys generate"]);
    }
    home.write("reconnectd.keys", "# ours\n\ngarbage\n");
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o600)).unwrap();
    for command in commands {
        home.run(command).await.badly(2, &["reconnectd.keys:3", "ID KEY"]);
    }
    fs::remove_file(&ring).unwrap();
    home.run(&["keys", "generate"]).await.well();
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o644)).unwrap();
    for command in commands {
        home.run(command).await.badly(2, &["reconnectd.keys", "chmod 600"]);
    }
}

#[tokio::test]
async fn a_port_that_is_in_use_is_reported_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["links.listen", "admin.listen"] {
        let simulator = simulator(0).await;
        let mut home = Home::new(&simulator);
        home.set(key, address.as_str());
        home.run(&["keys", "generate"]).await.well();
        home.run(&["run"]).await.badly(1, &[key, &address]);
    }
}

#[tokio::test]
async fn an_invalid_import_line_is_reported_by_number_and_nothing_is_imported() {
    let home = Home::bare();
    home.run(&["keys", "generate"]).await.well();
    let good = r#"{"member_id":"alice","email":"alice@example.org","refresh_token":"rt-alice"}"#;
    home.write(
        "m.jsonl",
        &format!("{good}\n{{\"member_id\":\"bob\",\"email\":\"bob(at)example.org\"}}\nno JSON\n"),
    );
    let refused = home.run(&["members", "import", "m.jsonl"]).await;
    let refused = refused.badly(1, &["m.jsonl: line 2: email:", "m.jsonl: line 3:"]);
    assert!(!refused.stderr.contains("bob(at)"), "an error repeats the row: {}", refused.stderr);
    assert_eq!(home.json(&["members", "list"]).await.len(), 0);
    home.run(&["members", "import", "nowhere.csv"]).await.badly(1, &["nowhere.csv"]);
}

#[tokio::test]
async fn a_usage_error_exits_with_2() {
    let home = Home::bare();
    let cases: [&[&str]; 5] = [
        &["fly"],
        &["run", "--fast"],
        &["members", "show"],
        &["members", "import"],
        &["check", "--send-test", "nobody"],
    ];
    for arguments in cases {
        home.run(arguments).await.badly(2, &["--help"]);
    }
}

#[tokio::test]
async fn a_run_with_an_unclear_member_exits_with_3_and_concludes_nothing_about_them() {
    use reconnectd::sim::{Fault, FaultKind};
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice", "bob"]).await;
    let trouble = FaultKind::Http { status: 503, retry_after: None };
    simulator.world().add_fault(Fault::new(trouble).member("bob"));
    let once = home.run(&["once", "--json"]).await.badly(3, &["bob"]);
    let report = &once.json()[0];
    assert_eq!((&report["members"], &report["unclear"]), (&2.into(), &1.into()));
    assert_eq!(report["complete"], serde_json::json!(false));
    assert_eq!(home.json(&["transitions", "--member", "bob"]).await.len(), 0);
    assert_eq!(home.json(&["transitions", "--member", "alice"]).await.len(), 3);
}
