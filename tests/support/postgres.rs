//! A PostgreSQL server for the tests of this process: from the Debian package, in a temporary folder, as a user without
//! rights. It ends with the process. With `RECONNECTD_TEST_POSTGRES`, the URL of a running server, none is started.

use std::{
    env, fs,
    io::Write,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Set where a missing server is a failure, not a reason to skip.
const REQUIRED: &str = "RECONNECTD_TESTS_NEED_POSTGRES";
const RUNNING: &str = "RECONNECTD_TEST_POSTGRES";

/// The server must not run as root. Debian's user, or else nobody.
const NOBODY: u32 = 65534;

/// The URL of a new and empty database; `None` when this machine has no PostgreSQL.
pub(crate) fn new_database() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server()?;
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    run_in("postgres", &format!("CREATE DATABASE {name}"));
    Some(server.url(&name))
}

/// The URL of a new database with all tables; `None` when this machine has no PostgreSQL.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) async fn new_database_with_tables() -> Option<String> {
    static TEMPLATE: tokio::sync::OnceCell<Option<String>> = tokio::sync::OnceCell::const_new();
    let template = TEMPLATE.get_or_init(async || {
        let url = new_database()?;
        reconnectd::store::Store::open(&url.parse().expect("a URL")).await.expect("the tables");
        Some(url)
    });
    template.await.as_deref().map(copy_of)
}

/// Runs a statement as the superuser.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) fn run_in(database: &str, statement: &str) {
    assert!(server().expect("a server").try_psql(database, statement), "{statement}");
}

/// The URL of a database of this name.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) fn url_of(database: &str) -> String {
    server().expect("a server").url(database)
}

pub(crate) fn name_of(url: &str) -> String {
    let (_, name) = url.rsplit_once("@localhost/").expect("a URL of this server");
    name.split('?').next().unwrap_or_default().to_owned()
}

/// The URL for another role. Members of `with_password` need theirs.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) fn as_user(url: &str, role: &str, password: &str) -> String {
    url.replace("//postgres@", &format!("//{role}:{password}@"))
}

fn copy_of(template: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server().expect("a server, because it has the template");
    let template = name_of(template);
    let name = format!("copy_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let statement = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
    // The connections to the template may still be closing.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !server.try_psql("postgres", &statement) {
        assert!(Instant::now() < deadline, "{statement}");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.url(&name)
}

struct Server {
    psql: PathBuf,
    /// The folder of the socket.
    socket: String,
    /// Ends the server when this process ends. `None` for a server that was running.
    _shell: Option<Child>,
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let started = programs().map(|programs| match env::var(RUNNING) {
            Ok(socket) if !socket.is_empty() => Server { psql: programs.join("psql"), socket, _shell: None },
            _ => start(&programs),
        });
        if started.is_none() {
            assert!(
                env::var_os(REQUIRED).is_none(),
                "{REQUIRED} is set, but there is no PostgreSQL (postgresql)"
            );
            // Not captured with the output of one test.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED: the tests on PostgreSQL, because this machine has none (Debian: postgresql)\n"
            );
        }
        started
    });
    server.as_ref()
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some((entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?, ())))
        .collect();
    versions.sort_unstable();
    let (newest, ()) = versions.pop()?;
    let programs = PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"));
    programs.join("postgres").exists().then_some(programs)
}

fn start(programs: &Path) -> Server {
    let folder = tempfile::Builder::new().prefix("reconnectd-pg").tempdir().expect("a folder").keep();
    let user = (fs::metadata("/proc/self").expect("Linux").uid() == 0).then_some(NOBODY);
    if user.is_some() {
        chown(&folder, user, user).expect("root can give a folder away");
    }
    let data = folder.join("data");
    let command = |program: &str| {
        let mut command = Command::new(program);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    // Another collation than C: the statements must not depend on it.
    let made = command(programs.join("initdb").to_str().expect("a path"))
        .arg("--pgdata")
        .arg(&data)
        .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--locale-provider=icu", "--icu-locale=en-US"])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "initdb");
    let rules = data.join("pg_hba.conf");
    fs::write(rules, "local all +with_password scram-sha-256\nlocal all all trust\n")
        .expect("the rules of access");
    // A crash of the tests closes the pipe, which ends the server.
    let script = format!(
        "{} -D {} -k {} -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=400 \
         -c shared_buffers=64MB -c log_min_messages=panic & server=$!
         cat; kill -INT $server; wait $server; rm -rf {}",
        programs.join("postgres").display(),
        data.display(),
        folder.display(),
        folder.display(),
    );
    // Its standard input stays open until this process ends.
    let shell = command("sh").args(["-c", &script]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
    let shell = Some(shell.expect("sh"));
    let server = Server { psql: programs.join("psql"), socket: folder.display().to_string(), _shell: shell };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !server.try_psql("postgres", "SELECT 1") {
        assert!(Instant::now() < deadline, "PostgreSQL did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(server.try_psql("postgres", "CREATE ROLE with_password"), "a role");
    server
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.socket)
    }

    fn try_psql(&self, database: &str, statement: &str) -> bool {
        let done = Command::new(&self.psql)
            .args([
                "-h",
                &self.socket,
                "-U",
                "postgres",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                statement,
                database,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success())
    }
}
