//! The whole story between two processes, by nothing but what an operator and a member have: files, commands and a browser.

use crate::harness::{Daemon, Home, PATIENCE, Running, until, until_true};
use reconnectd::sim::TestBrowser;
use serde_json::{Value, json};
use std::net::TcpListener;

/// `simulate`, as another process, and what it printed.
struct Simulation {
    running: Running,
    /// Lines for the configuration file.
    configuration: String,
    /// Lines for the import file.
    import: String,
    base: String,
    http: reqwest::Client,
}

impl Simulation {
    /// `last` is in the last line that it prints.
    async fn start(home: &Home, arguments: &[&str], last: &str) -> Self {
        let mut program = home.program();
        program.args(["simulate", "--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0"]).args(arguments);
        let running = Running::start(program);
        let said = until("the simulator to say where it is", async || {
            Some(running.stdout()).filter(|said| said.contains(last) && said.ends_with('\n'))
        })
        .await;
        let (import, configuration): (Vec<&str>, Vec<&str>) =
            said.lines().partition(|line| line.starts_with('{'));
        let configuration = configuration.join("\n");
        let gateway: toml::Table = configuration.parse().expect("what is printed is TOML");
        let url = gateway["gateway"]["url"].as_str().unwrap();
        let base = url.strip_suffix("/v1/graphql").unwrap().to_owned();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { running, import: import.join("\n"), configuration, base, http }
    }

    async fn expire(&self, member: &str) {
        let url = format!("{}/control/members/{member}/connections/epic", self.base);
        let done = self.http.post(url).json(&json!({ "status": "EXPIRED" })).send().await.unwrap();
        assert_eq!(done.status(), 204);
    }

    async fn mails(&self) -> Vec<Value> {
        let mails = self.http.get(format!("{}/control/mails", self.base)).send().await.unwrap();
        mails.json().await.unwrap()
    }
}

/// A port that nobody listens on. It lies below those that the system hands out, so that no one is given it meanwhile.
fn free_port() -> u16 {
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    (first..30_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Holds that every row has these fields.
#[track_caller]
fn assert_fields(rows: &[Value], fields: &[&str]) {
    assert!(!rows.is_empty(), "there is nothing to look at");
    for row in rows {
        for field in fields {
            assert!(row.get(field).is_some(), "{field} is not in {row}");
        }
    }
}

#[track_caller]
fn assert_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    assert!(text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}");
}

#[tokio::test]
async fn an_expired_connection_is_repaired_with_files_commands_and_a_browser_alone() {
    let home = Home::bare();
    let simulation = Simulation::start(&home, &[], "\"carol\"").await;
    let port = free_port();
    home.write(
        "reconnectd.toml",
        &format!(
            "{}\n[sweep]\nschedule = \"* * * * * *\"\nrecheck = [\"1s\", \"2s\"]\n
             [notices]\nmin_gap = \"0s\"\nquiet_hours = \"\"\nexpired.first_after = \"0s\"\n
             [links]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n
             [admin]\nlisten = \"127.0.0.1:0\"\n",
            simulation.configuration
        ),
    );
    home.write("members.jsonl", &simulation.import);
    home.run(&["keys", "generate"]).await.well();
    let imported = home.run(&["members", "import", "members.jsonl"]).await.well();
    assert_eq!(imported.stdout, "3 members imported\n");
    let daemon = home.daemon().await;
    until_true("the first sweep", async || home.json(&["connections", "list"]).await.len() == 9).await;

    simulation.expire("alice").await;
    let mail = until("the mail", async || simulation.mails().await.pop()).await;
    assert_eq!(mail["to"], json!(["alice@example.org"]));
    let text = mail["text"].as_str().unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/r/")).expect("the mail holds a link");
    let person = TestBrowser::new().unwrap();
    let page = person.open(link).await.unwrap();
    assert!(page.status == 200 && page.has_button(), "{}", page.html);
    let pressed = person.press(link, &[]).await.unwrap();
    assert_eq!(pressed.status, 303);
    person.allow(&pressed.location.unwrap()).await.unwrap();

    let lapse = until("recovery", async || {
        let lapses = home.json(&["lapses", "list", "--member", "alice"]).await;
        lapses.into_iter().find(|lapse| lapse["outcome"] == "recovered")
    })
    .await;
    assert_eq!((&lapse["connection_id"], &lapse["state"]), (&json!("epic"), &json!("closed")));
    assert_time(&lapse["opened_at"]);
    assert_time(&lapse["closed_at"]);
    let path: Vec<[Value; 2]> = home
        .json(&["transitions", "--member", "alice"])
        .await
        .into_iter()
        .filter(|transition| transition["connection_id"] == "epic")
        .inspect(|transition| assert_time(&transition["observed_at"]))
        .map(|transition| [transition["from"].clone(), transition["to"].clone()])
        .collect();
    let expected = [
        [Value::Null, json!("CONNECTED")],
        [json!("CONNECTED"), json!("EXPIRED")],
        [json!("EXPIRED"), json!("CONNECTED")],
    ];
    assert_eq!(path, expected);
    the_reports_keep_their_contract(&home).await;
    the_metrics_tell_it(&daemon).await;
    daemon.running.stopped().await.well();
    simulation.running.stopped().await.well();
}

/// After the story.
async fn the_metrics_tell_it(daemon: &Daemon) {
    for (name, least, most) in [
        ("reconnectd_lapses_closed_total{outcome=\"recovered\"}", 1.0, 1.0),
        ("reconnectd_recovery_duration_seconds_count", 1.0, 1.0),
        ("reconnectd_email_delay_seconds_count", 1.0, 1.0),
        ("reconnectd_email_delay_seconds_sum", 0.0, PATIENCE.as_secs_f64()),
        ("reconnectd_last_sweep_timestamp_seconds", 1.7e9, f64::INFINITY),
        ("reconnectd_last_complete_sweep_timestamp_seconds", 1.7e9, f64::INFINITY),
        ("reconnectd_members_unreachable", 0.0, 0.0),
    ] {
        let value = daemon.metric(name).await.unwrap_or_else(|| panic!("{name} is not counted"));
        assert!((least..=most).contains(&value), "{name} is {value}");
    }
}

/// After the story: the fields that scripts rely on.
async fn the_reports_keep_their_contract(home: &Home) {
    let rows = home.json(&["members", "list"]).await;
    assert_fields(&rows, &["member_id", "credential", "paused"]);
    assert_eq!(rows[0]["credential"], "ok");
    let rows = home.json(&["connections", "list"]).await;
    let fields =
        ["member_id", "connection_id", "name", "category", "integration_type", "status", "sync_status"];
    assert_fields(&rows, &fields);
    let now = home.json(&["connections", "list", "--member", "alice"]).await;
    assert_fields(&now, &fields);
    assert_eq!(now.len(), 3);
    let rows = home.json(&["transitions"]).await;
    assert_fields(&rows, &["member_id", "connection_id", "from", "to", "observed_at"]);
    let rows = home.json(&["lapses", "list"]).await;
    assert_fields(&rows, &["member_id", "connection_id", "state", "outcome", "opened_at", "closed_at"]);

    let notices = home.json(&["notices", "list"]).await;
    let fields = ["notice_id", "member_id", "step", "state", "attempts", "connections", "sent_at"];
    assert_fields(&notices, &fields);
    let [notice] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(
        (&notice["step"], &notice["state"], &notice["attempts"]),
        (&json!(0), &json!("sent"), &json!(1))
    );
    assert_eq!(notice["connections"], json!(["epic"]));
    assert_time(&notice["sent_at"]);
    let id = notice["notice_id"].as_str().unwrap();
    let shown = home.json(&["notices", "show", id]).await;
    assert_fields(&shown, &fields);
    assert_eq!(shown[0]["notice_id"], notice["notice_id"]);
    let for_people = home.run(&["notices", "show", id]).await.well().stdout;
    assert!(for_people.contains("alice") && for_people.contains("sent"), "{for_people}");

    let shown = home.json(&["members", "show", "alice"]).await;
    assert_fields(&shown, &["member_id", "credential", "paused"]);
    let for_people = home.run(&["members", "show", "alice"]).await.well().stdout;
    assert!(for_people.contains("alice@example.org"), "{for_people}");
    home.run(&["members", "show", "nobody"]).await.badly(1, &["no member nobody", "members list"]);
    home.run(&["notices", "show", "nothing"]).await.badly(1, &["nothing", "notices list"]);

    let status = home.json(&["status"]).await;
    assert_fields(&status, &["members", "connections", "lapses_open", "notices", "last_sweep"]);
    let [status] = &status[..] else { panic!("{status:?}") };
    assert_eq!((&status["members"], &status["lapses_open"]), (&json!(3), &json!(0)));
    assert_eq!(
        (&status["connections"], &status["notices"]),
        (&json!({ "CONNECTED": 9 }), &json!({ "sent": 1 }))
    );
    let sweep = &status["last_sweep"];
    let fields = ["started_at", "finished_at", "members", "unclear", "transitions", "complete"];
    assert_fields(std::slice::from_ref(sweep), &fields);
    assert_time(&sweep["started_at"]);
}

#[tokio::test]
async fn the_simulator_tells_where_the_import_lines_are_that_it_does_not_print() {
    let home = Home::bare();
    let simulation = Simulation::start(&home, &["--members", "20"], ": curl ").await;
    let words: Vec<&str> = simulation.configuration.split_whitespace().collect();
    let url = words.iter().find(|word| word.ends_with("members.jsonl") && word.starts_with("http")).unwrap();
    let answer = simulation.http.get(*url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    let lines = answer.text().await.unwrap();
    assert!(lines.starts_with(&simulation.import), "the lines that are printed come first");
    assert_eq!(lines.lines().count(), 23);
    home.write("members.jsonl", &lines);
    home.run(&["keys", "generate"]).await.well();
    home.run(&["members", "import", "members.jsonl"]).await.well();
    assert_eq!(home.json(&["members", "list"]).await.len(), 23);
    simulation.running.stopped().await.well();
}
