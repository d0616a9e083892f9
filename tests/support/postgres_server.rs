//! A PostgreSQL server from the Debian package, in a temporary folder, as a user without rights.

use std::{
    fs,
    io::Write,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The server must not run as root.
const NOBODY: u32 = 65534;
/// In a mount namespace, as its root.
const MAPPED: &[&str] = &["--user", "--map-root-user", "--mount"];
/// Copies the data onto a small disk that only the server sees. The server must not be root there, either.
const ONTO_SMALL_DISK: &str = "set -e; mv data initial; mkdir data
    mount -t tmpfs -o size=$1m,mode=0700 tmpfs data; cp -a initial/. data
    exec unshare --user --map-user=1000 --map-group=1000 sh -c \"$0\"";

/// Members of the role `with_password` need their password. TCP needs TLS.
const ACCESS: &str = "local all +with_password scram-sha-256
local all all trust
hostnossl all all 127.0.0.1/32 reject
hostssl all +with_password 127.0.0.1/32 scram-sha-256
hostssl all all 127.0.0.1/32 trust
";

/// It ends, and its folder is deleted, when this is dropped or the process ends.
pub(crate) struct PostgresServer {
    programs: PathBuf,
    folder: PathBuf,
    /// `None`: the user of this process.
    user: Option<u32>,
    port: u16,
    settings: String,
    /// The size in megabytes of the disk that its data have for themselves. They are lost when the server ends.
    disk: Option<u32>,
    /// Ends the server when its standard input is closed. `None` while it is stopped.
    shell: Option<Child>,
}

#[allow(dead_code, reason = "not every suite needs all of it")]
impl PostgresServer {
    /// `None` when this machine has no PostgreSQL.
    pub(crate) fn start() -> Option<Self> {
        let mut server = Self::prepare()?;
        server.resume();
        assert!(server.psql("postgres", "CREATE ROLE with_password"), "a role");
        Some(server)
    }

    /// Like [`Self::start`], with few connections, and on a disk of its own. `None` also where the system permits none.
    pub(crate) fn start_small(connections: u32, megabytes: u32) -> Option<Self> {
        let mut server = Self::prepare()?;
        server.disk = Some(megabytes);
        let is_permitted = server.command("unshare").args([MAPPED, &["true"]].concat()).status();
        if !is_permitted.is_ok_and(|status| status.success()) {
            // Not captured with the output of one test.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED: a test of a full server, because this machine permits no user namespace\n"
            );
            return None;
        }
        server.settings += &format!(" -c max_connections={connections}");
        server.resume();
        Some(server)
    }

    /// Takes all space that is left on the disk.
    pub(crate) fn fill_disk(&self) {
        self.run_program("dd if=/dev/zero of=filler bs=4k 2> /dev/null || true");
    }

    pub(crate) fn free_disk(&self) {
        self.run_program("rm filler");
    }

    /// Runs a script of the shell as the server, in the folder of its data.
    fn run_program(&self, script: &str) {
        let statement = format!("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; {script}'");
        assert!(self.psql("postgres", &statement), "{script}");
    }

    /// Like [`Self::start`]. The server also listens on a TCP port of 127.0.0.1, with this certificate and key in PEM.
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Option<Self> {
        let mut server = Self::prepare()?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        server.port = free.local_addr().expect("its address").port();
        drop(free);
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let file = server.folder.join("data").join(name);
            fs::write(&file, content).expect("a file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
            server.give_away(&file);
        }
        server.settings = "-c listen_addresses=127.0.0.1 -c ssl=on".to_owned();
        server.resume();
        assert!(server.psql("postgres", "CREATE ROLE with_password"), "a role");
        Some(server)
    }

    /// The folder of the socket.
    pub(crate) fn socket(&self) -> String {
        self.folder.display().to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost:{}/{database}?host={}", self.port, self.socket())
    }

    /// Ends the server, as an operator who restarts it.
    pub(crate) fn stop(&mut self) {
        let mut shell = self.shell.take().expect("it runs");
        shell.stdin.take().expect("a pipe").write_all(b"keep\n").expect("the shell reads");
        shell.wait().expect("it ends");
    }

    /// Starts the server after [`Self::stop`].
    pub(crate) fn resume(&mut self) {
        let script = format!(
            "{programs}/postgres -D {folder}/data -k {folder} -c port={port} -c fsync=off -c full_page_writes=off \
             -c max_connections=400 -c shared_buffers=64MB -c log_min_messages=panic {settings} & server=$!
             read word; kill -INT $server; wait $server; [ \"$word\" = keep ] || rm -rf {folder}",
            programs = self.programs.display(),
            folder = self.folder.display(),
            port = self.port,
            settings = self.settings,
        );
        let mut command = match self.disk {
            None => {
                let mut command = self.command("sh");
                command.args(["-c", &script]);
                command
            }
            Some(megabytes) => {
                let mut command = self.command("unshare");
                command.args(MAPPED).args(["sh", "-c", ONTO_SMALL_DISK, &script, &megabytes.to_string()]);
                command
            }
        };
        let shell = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        self.shell = Some(shell.expect("sh"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.psql("postgres", "SELECT 1") {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A server of its own with the same data. This one must be stopped.
    pub(crate) fn successor(&self) -> Self {
        assert!(self.shell.is_none(), "it runs");
        let folder = tempfile::Builder::new().prefix("reconnectd-pg").tempdir().expect("a folder").keep();
        let (programs, settings) = (self.programs.clone(), self.settings.clone());
        let mut server =
            Self { programs, folder, user: self.user, port: self.port, settings, disk: None, shell: None };
        server.give_away(&server.folder);
        let (from, to) = (self.folder.join("data"), server.folder.join("data"));
        let copied = server.command("cp").arg("-a").args([from, to]).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy of the data");
        server.resume();
        server
    }

    /// Runs a statement as the superuser. Returns whether it succeeded.
    pub(crate) fn psql(&self, database: &str, statement: &str) -> bool {
        psql(&self.programs, &self.socket(), self.port, database, statement)
    }

    fn prepare() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("reconnectd-pg").tempdir().expect("a folder").keep();
        let user = (fs::metadata("/proc/self").expect("Linux").uid() == 0).then_some(NOBODY);
        let settings = "-c listen_addresses=".to_owned();
        let server = Self { programs, folder, user, port: 5432, settings, disk: None, shell: None };
        server.give_away(&server.folder);
        // Another collation than C: the statements must not depend on it.
        let made = server
            .command(server.programs.join("initdb").to_str().expect("a path"))
            .arg("--pgdata")
            .arg(server.folder.join("data"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--locale-provider=icu", "--icu-locale=en-US"])
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb");
        fs::write(server.folder.join("data/pg_hba.conf"), ACCESS).expect("the rules of access");
        Some(server)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn give_away(&self, path: &std::path::Path) {
        if self.user.is_some() {
            chown(path, self.user, self.user).expect("root can give a file away");
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        match &mut self.shell {
            // The shell deletes the folder, except what a disk was mounted on.
            Some(shell) => {
                drop(shell.stdin.take());
                if self.disk.is_some() {
                    let _ = shell.wait();
                    let _ = fs::remove_dir_all(&self.folder);
                }
            }
            None => drop(fs::remove_dir_all(&self.folder)),
        }
    }
}

/// The folder of the newest version's programs.
pub(crate) fn programs() -> Option<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .collect();
    versions.sort_unstable();
    let programs = PathBuf::from(format!("/usr/lib/postgresql/{}/bin", versions.pop()?));
    programs.join("postgres").exists().then_some(programs)
}

/// Runs a statement as the superuser of a server. Returns whether it succeeded.
pub(crate) fn psql(
    programs: &std::path::Path,
    socket: &str,
    port: u16,
    database: &str,
    statement: &str,
) -> bool {
    let done = Command::new(programs.join("psql"))
        .args(["-h", socket, "-p", &port.to_string(), "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1"])
        .args(["-c", statement, database])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|status| status.success())
}
