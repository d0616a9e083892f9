//! The PostgreSQL server that the tests of this process share. With `RECONNECTD_TEST_POSTGRES`, the folder of the socket of
//! a running server, none is started.

#[path = "postgres_server.rs"]
mod postgres_server;

#[allow(unused_imports, reason = "not every suite needs it")]
pub(crate) use postgres_server::PostgresServer;
use postgres_server::{programs, psql};
use reconnectd::store::testing::TestDatabase;
use std::{
    env,
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Set where a missing server is a failure, not a reason to skip.
const REQUIRED: &str = "RECONNECTD_TESTS_NEED_POSTGRES";
const RUNNING: &str = "RECONNECTD_TEST_POSTGRES";

/// The URL of a new and empty database; `None` when this machine has no PostgreSQL.
pub(crate) fn new_database() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server()?;
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    run_in("postgres", &format!("CREATE DATABASE {name}"));
    Some(server.url(&name))
}

/// The URL of a new database with all tables, planned as if they were large; `None` when this machine has no PostgreSQL.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) async fn new_database_with_tables() -> Option<String> {
    static TEMPLATE: tokio::sync::OnceCell<Option<String>> = tokio::sync::OnceCell::const_new();
    let template = TEMPLATE.get_or_init(async || {
        let url = new_database()?;
        let parsed = url.parse().expect("a URL");
        reconnectd::store::Store::open(&parsed).await.expect("the tables");
        let mut database = TestDatabase::connect(&parsed).await.expect("a connection");
        database.pretend_large_tables().await.expect("a superuser");
        Some(url)
    });
    template.await.as_deref().map(copy_of)
}

/// Runs a statement as the superuser.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) fn run_in(database: &str, statement: &str) {
    assert!(server().expect("a server").psql(database, statement), "{statement}");
}

/// The URL of a database of this name.
#[allow(dead_code, reason = "not every suite needs it")]
pub(crate) fn url_of(database: &str) -> String {
    server().expect("a server").url(database)
}

pub(crate) fn name_of(url: &str) -> String {
    let (_, name) = url.split('?').next().and_then(|url| url.rsplit_once('/')).expect("a URL");
    name.to_owned()
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
    while !server.psql("postgres", &statement) {
        assert!(Instant::now() < deadline, "{statement}");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.url(&name)
}

enum Server {
    Own(PostgresServer),
    /// The folder of its socket.
    Running(String),
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let started = match env::var(RUNNING) {
            Ok(socket) if !socket.is_empty() => Some(Server::Running(socket)),
            _ => PostgresServer::start().map(Server::Own),
        };
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

impl Server {
    fn url(&self, database: &str) -> String {
        match self {
            Self::Own(server) => server.url(database),
            Self::Running(socket) => format!("postgres://postgres@localhost/{database}?host={socket}"),
        }
    }

    fn psql(&self, database: &str, statement: &str) -> bool {
        match self {
            Self::Own(server) => server.psql(database, statement),
            Self::Running(socket) => psql(&programs().expect("psql"), socket, 5432, database, statement),
        }
    }
}
