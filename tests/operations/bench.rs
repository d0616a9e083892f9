//! A simulated world, a configuration that leads there, and the binary to run with it.

use reconnectd::base::clock::Clock;
use reconnectd::base::config::Config;
use reconnectd::server::components::App;
use reconnectd::sim::{Options, Simulator};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A file in a folder of its own, which goes with it.
pub(crate) struct Bench {
    pub(crate) sim: Simulator,
    pub(crate) folder: TempDir,
}

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Bench {
    /// alice and bob are enrolled, with their refresh tokens.
    pub(crate) async fn new() -> Self {
        let bench = Self::with_auth(|_| String::new()).await;
        bench.enrol(&["alice", "bob"], true).await;
        bench
    }

    /// Nobody is enrolled. `auth` gives the lines of `[gateway.auth]`.
    pub(crate) async fn with_auth(auth: impl FnOnce(&Simulator) -> String) -> Self {
        let sim = Simulator::start(Options::default()).await.unwrap();
        let bench = Self { folder: TempDir::new().unwrap(), sim };
        let (folder, smtp) = (bench.folder.path().display(), bench.sim.smtp_addr());
        let text = format!(
            "[database]\nurl = \"sqlite://{folder}/test.db\"\n[keys]\nfile = \"{folder}/test.keys\"\n\
             [gateway]\nurl = \"{}\"\nclient_key = \"any\"\n[gateway.auth]\n{}\n\
             [notices]\nmin_gap = \"0s\"\nquiet_hours = \"\"\n\
             [email.smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n\
             [links]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[telemetry]\nlog = \"error\"\n",
            bench.sim.gateway_url(),
            auth(&bench.sim),
            smtp.ip(),
            smtp.port(),
        );
        std::fs::write(bench.path("test.toml"), text).unwrap();
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
        std::fs::write(self.path("members.jsonl"), lines).unwrap();
        self.done(&format!("members import {}", self.path("members.jsonl").display())).await;
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconnectd"));
        command.arg("--config").arg(self.path("test.toml")).args(line.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Begins a command.
    pub(crate) fn start(&self, line: &str) -> Child {
        self.command(line).spawn().unwrap()
    }

    /// Runs a command to its end, without a terminal.
    pub(crate) async fn run(&self, line: &str) -> Ran {
        let mut command = self.command(line);
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap().into()
    }

    /// Likewise, with something on its standard input.
    pub(crate) async fn run_with_input(&self, line: &str, input: &str) -> Ran {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().unwrap();
        // A command that refuses before it reads closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap().into()
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
        let config = Config::load(Some(&self.path("test.toml")), std::iter::empty::<(String, String)>());
        App::open(config.unwrap().config, Clock::System).await.unwrap()
    }

    /// A member's transitions at one source: from, to.
    pub(crate) async fn transitions(&self, member: &str, source: &str) -> Vec<(Value, Value)> {
        let all = self.json(&format!("transitions --member {member}")).await;
        let of_source = all.into_iter().filter(|one| one["connection_id"] == source);
        of_source.map(|one| (one["from"].clone(), one["to"].clone())).collect()
    }
}
