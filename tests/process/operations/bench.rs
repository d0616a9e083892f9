//! A simulated world, and a home whose configuration leads there.

use crate::harness::{Home, Running};
use reconnectd::base::clock::Clock;
use reconnectd::base::config::Config;
use reconnectd::server::components::App;
use reconnectd::sim::{Options, Simulator};
use serde_json::Value;

pub(crate) struct Bench {
    pub(crate) sim: Simulator,
    pub(crate) home: Home,
}

/// The exit code and output of a command.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    /// alice and bob are enrolled, with their refresh tokens.
    pub(crate) async fn new() -> Self {
        let bench = Self::with_auth(|_| String::new()).await;
        bench.enrol(&["alice", "bob"], true).await;
        bench
    }

    /// Nobody is enrolled. `auth` returns the lines of `[gateway.auth]`.
    pub(crate) async fn with_auth(auth: impl FnOnce(&Simulator) -> String) -> Self {
        let sim = Simulator::start(Options::default()).await.unwrap();
        let mut home = Home::new(&sim);
        let auth: toml::Table = auth(&sim).parse().unwrap();
        home.set("gateway.auth", auth)
            .set("sweep.schedule", "0 */15 * * * *")
            .set("sweep.recheck", vec!["30s", "2m", "10m", "30m"])
            .set("links.public_url", "http://127.0.0.1:8080")
            .set("telemetry.log", "error");
        let bench = Self { sim, home };
        bench.done("keys generate").await;
        bench
    }

    pub(crate) async fn enrol(&self, members: &[&str], with_token: bool) {
        let line = |id: &&str| match with_token {
            true => format!(
                "{{\"member_id\":\"{id}\",\"email\":\"{id}@example.org\",\"refresh_token\":\"rt-{id}\"}}\n"
            ),
            false => format!("{{\"member_id\":\"{id}\",\"email\":\"{id}@example.org\"}}\n"),
        };
        let lines: String = members.iter().map(line).collect();
        let file = self.home.write("members.jsonl", &lines);
        self.done(&format!("members import {}", file.display())).await;
    }

    /// Starts a command; `line` is split at spaces.
    pub(crate) fn start(&self, line: &str) -> Running {
        self.home.start(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a command to its end, without a terminal.
    pub(crate) async fn run(&self, line: &str) -> Ran {
        Self::ran(self.start(line)).await
    }

    pub(crate) async fn run_with_input(&self, line: &str, input: &str) -> Ran {
        let arguments = line.split_whitespace().collect::<Vec<_>>();
        Self::ran(self.home.start_with_input(&arguments, input)).await
    }

    async fn ran(running: Running) -> Ran {
        let ended = running.ended().await;
        Ran { code: ended.code.expect("no signal ended it"), out: ended.stdout, err: ended.stderr }
    }

    /// Runs a command that has to succeed; gives what it printed.
    pub(crate) async fn done(&self, line: &str) -> String {
        let ran = self.run(line).await;
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        ran.out
    }

    /// Runs a command that has to fail with this code; gives what it said.
    pub(crate) async fn fails(&self, code: i32, line: &str) -> String {
        let ran = self.run(line).await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{line}: {}", ran.err);
        ran.err
    }

    /// Runs a command that has to succeed with `--json`; gives its lines.
    pub(crate) async fn json(&self, line: &str) -> Vec<Value> {
        let out = self.done(&format!("{line} --json")).await;
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The one object that an operation reports: its status.
    pub(crate) async fn status(&self, line: &str) -> String {
        let lines = self.json(line).await;
        let [object] = &lines[..] else { panic!("{line}: {lines:?}") };
        assert!(object["member_id"].is_string() && object["name"].is_string(), "{object}");
        object["status"].as_str().unwrap_or("none").to_owned()
    }

    /// One pass, and what is due.
    pub(crate) async fn pass(&self) {
        self.done("once").await;
    }

    /// The components, in this process, beside the commands.
    pub(crate) async fn app(&self) -> App {
        let config =
            Config::load(Some(&self.home.path("reconnectd.toml")), std::iter::empty::<(String, String)>());
        App::open(config.unwrap().config, Clock::System).await.unwrap()
    }

    /// A member's transitions at one source: from, to.
    pub(crate) async fn transitions(&self, member: &str, source: &str) -> Vec<(Value, Value)> {
        let all = self.json(&format!("transitions --member {member}")).await;
        let of_source = all.into_iter().filter(|one| one["connection_id"] == source);
        of_source.map(|one| (one["from"].clone(), one["to"].clone())).collect()
    }
}
