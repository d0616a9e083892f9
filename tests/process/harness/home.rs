//! A folder with a configuration, a key ring, and a database, and the commands that run in it.

use super::{Ended, PATIENCE, Running, SmallDisk, until};
use reconnectd::{
    sim::{ReceivedEmail, Simulator},
    store::testing::TestDatabase,
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ChildStdin, Command},
};
use tempfile::TempDir;

/// The start of links in emails, as behind a proxy, so that the daemon can listen on a free port.
const PUBLIC_URL: &str = "https://reconnect.example.org";

pub(crate) const CLIENT_KEY: &str = "c3VwZXItc2VjcmV0LWNsaWVudC1rZXk";

pub(crate) struct Home {
    folder: TempDir,
    settings: toml::Table,
    variables: Vec<(String, String)>,
    /// In which all programs run.
    disk: Option<SmallDisk>,
}

impl Home {
    /// Settings that differ from an operator's: short intervals, no quiet hours, free ports.
    pub(crate) fn new(simulator: &Simulator) -> Self {
        let mut home = Self::bare();
        let smtp = simulator.smtp_addr();
        home.set("gateway.url", simulator.gateway_url())
            // The public URL is not of this machine, but the simulated sign-in pages are.
            .set("gateway.oauth_hosts", vec!["127.0.0.1"])
            .set("email.smtp.host", smtp.ip().to_string())
            .set("email.smtp.port", i64::from(smtp.port()))
            .set("email.smtp.tls", "none");
        home
    }

    /// Puts the database onto a disk of its own. `None` where the system permits none.
    pub(crate) fn on_small_disk(mut self, megabytes: u32) -> Option<Self> {
        let folder = self.path("disk");
        self.disk = Some(SmallDisk::mount(&folder, megabytes)?);
        self.set("database.url", format!("sqlite://{}", folder.join("reconnectd.db").display()));
        Some(self)
    }

    pub(crate) fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("a disk of its own")
    }

    /// Without a gateway and a mail server.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut home = Self { folder, settings: toml::Table::new(), variables: Vec::new(), disk: None };
        let (database, keys) = (home.path("reconnectd.db"), home.path("reconnectd.keys"));
        home.set("database.url", format!("sqlite://{}", database.display()))
            .set("keys.file", keys.display().to_string())
            .set("gateway.client_key", CLIENT_KEY)
            .set("sweep.schedule", "* * * * * *")
            .set("sweep.recheck", vec!["1s", "2s", "5s"])
            .set("notices.expired.first_after", "0s")
            .set("notices.disconnected.first_after", "0s")
            .set("notices.min_gap", "0s")
            // Whole fleets break at once.
            .set("storm.min_members", 0)
            .set("notices.quiet_hours", "")
            .set("email.from", "Example Health <no-reply@example.org>")
            .set("links.listen", "127.0.0.1:0")
            .set("links.public_url", PUBLIC_URL)
            .set("admin.listen", "127.0.0.1:0");
        home
    }

    /// Changes a setting of the configuration file, `section.key`.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<toml::Value>) -> &mut Self {
        let (sections, name) = key.rsplit_once('.').unwrap();
        let mut table = &mut self.settings;
        for section in sections.split('.') {
            let below = table.entry(section).or_insert_with(|| toml::Table::new().into());
            table = below.as_table_mut().unwrap();
        }
        table.insert(name.to_owned(), value.into());
        let file = self.write("reconnectd.toml", &self.settings.to_string());
        // It contains the client key.
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    /// Sets an environment variable for processes that start later.
    pub(crate) fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.write_bytes(name, text.as_bytes())
    }

    /// Like [`Home::write`], with mode 0600.
    pub(crate) fn write_secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn write_bytes(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Every file of the database, by name and content.
    pub(crate) fn database_files(&self) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let ours = files.filter(|file| name(file).starts_with("reconnectd.db"));
        ours.map(|file| (name(&file), fs::read(&file).unwrap())).collect()
    }

    /// Opens the rows of the database, also while a daemon uses it.
    pub(crate) async fn database(&self) -> TestDatabase {
        TestDatabase::open(&self.path("reconnectd.db")).await.unwrap()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    pub(crate) fn start_with_input(&self, arguments: &[&str], input: &str) -> Running {
        Running::start_with_input(self.command(arguments), input)
    }

    /// Starts a command whose standard input ends when the pipe is dropped.
    pub(crate) fn start_with_pipe(&self, arguments: &[&str]) -> (Running, ChildStdin) {
        Running::start_with_pipe(self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program();
        command.arg("--config").arg(self.path("reconnectd.toml")).args(arguments);
        command
    }

    /// The program in this folder, without arguments.
    pub(crate) fn program(&self) -> Command {
        self.program_named(env!("CARGO_BIN_EXE_reconnectd"))
    }

    /// A program in this folder, with the daemon's environment.
    pub(crate) fn program_named(&self, program: &str) -> Command {
        let mut command = match &self.disk {
            Some(disk) => disk.view.command(self.folder.path(), program),
            None => Command::new(program),
        };
        command.current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RECONNECTD") || name == "SUDO_USER" {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    /// Runs a command with `--json` and returns its lines.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.run(&arguments).await.well().json()
    }

    /// Generates the key ring and imports members, each with their first refresh token.
    pub(crate) async fn enrol(&self, members: &[&str]) {
        let line = |id: &&str| {
            let (email, token) = (format!("{id}@example.org"), format!("rt-{id}"));
            serde_json::json!({ "member_id": id, "email": email, "refresh_token": token }).to_string()
        };
        let lines: Vec<String> = members.iter().map(line).collect();
        self.write("members.jsonl", &lines.join("\n"));
        self.run(&["keys", "generate"]).await.well();
        self.run(&["members", "import", "members.jsonl"]).await.well();
    }

    /// Starts the daemon and waits until it listens.
    pub(crate) async fn daemon(&self) -> Daemon {
        Daemon::listening(self.start(&["run"])).await
    }

    /// Starts the daemon as a process that may have so many files open.
    pub(crate) async fn daemon_with_descriptors(&self, count: u32) -> Daemon {
        let mut shell = self.program_named("sh");
        shell.args([
            "-c",
            &format!("ulimit -n {count} && exec \"$0\" \"$@\""),
            env!("CARGO_BIN_EXE_reconnectd"),
        ]);
        shell.arg("--config").arg(self.path("reconnectd.toml")).arg("run");
        Daemon::listening(Running::start(shell)).await
    }
}

pub(crate) struct Daemon {
    pub(crate) running: Running,
    pub(crate) links: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Daemon {
    /// The value of a metric, by its name with its labels, where it has been counted.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let url = format!("http://{}/metrics", self.admin);
        let text = http.get(url).send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    async fn listening(running: Running) -> Self {
        let (links, admin) = until("the daemon to listen", async || {
            let log = running.stderr();
            Some((address(&log, "links")?, address(&log, "admin")?))
        })
        .await;
        Self { running, links, admin }
    }

    /// The local address of the link in an email, without the proxy.
    pub(crate) fn link(&self, mail: &ReceivedEmail) -> String {
        let links = mail.links();
        let link = links.iter().find_map(|link| link.strip_prefix(PUBLIC_URL)?.strip_prefix("/r/"));
        format!("http://{}/r/{}", self.links, link.expect("the mail holds a link"))
    }
}

/// The address of a listener, once the log contains it.
fn address(log: &str, name: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains("schedule="))?;
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?.parse().ok()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
