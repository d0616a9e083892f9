//! What keeps a running daemon from a PostgreSQL server that is up: no connections left, another password, a database that
//! was renamed or takes no writes, rights that were taken away; and a server that another one replaces.

use crate::fault_rows::expect_failing_loop;
use crate::harness::{mails, until_true};
use crate::invariants::broken_invariants;
use crate::postgres::{self, PostgresServer};
use crate::servers::{readiness, until_ready, watching_all};
use crate::tcp_proxy::TcpProxy;
use reconnectd::store::testing::TestDatabase;

/// A trouble, and what ends it. `{db}` is the database, and `{role}` the user. What begins with `IN {db}:` runs in the
/// database. A connection expires meanwhile.
struct Trouble {
    fault: &'static str,
    expires: (&'static str, &'static str),
    begin: &'static str,
    end: &'static str,
    readiness: &'static str,
}

const TROUBLES: [Trouble; 6] = [
    Trouble {
        fault: "PostgreSQL has no connection left for the daemon's role",
        expires: ("alice", "epic"),
        begin: "ALTER ROLE {role} CONNECTION LIMIT 0",
        end: "ALTER ROLE {role} CONNECTION LIMIT -1",
        readiness: "database_unavailable",
    },
    Trouble {
        fault: "PostgreSQL refuses the password",
        expires: ("bob", "epic"),
        begin: "ALTER ROLE {role} PASSWORD 'another'",
        end: "ALTER ROLE {role} PASSWORD 'hush'",
        readiness: "database_unavailable",
    },
    Trouble {
        fault: "PostgreSQL: the database is renamed",
        expires: ("alice", "kaiser-north"),
        begin: "ALTER DATABASE {db} ALLOW_CONNECTIONS false;
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{db}';
            ALTER DATABASE {db} RENAME TO {db}_aside",
        end: "ALTER DATABASE {db}_aside RENAME TO {db}; ALTER DATABASE {db} ALLOW_CONNECTIONS true",
        readiness: "database_unavailable",
    },
    // As after a failover to a standby. The sessions of that time stay read-only.
    Trouble {
        fault: "PostgreSQL takes no writes, as after a failover to a standby",
        expires: ("bob", "kaiser-north"),
        begin: "ALTER DATABASE {db} SET default_transaction_read_only = on",
        end: "ALTER DATABASE {db} RESET default_transaction_read_only",
        readiness: "database_not_writable",
    },
    Trouble {
        fault: "PostgreSQL: the right to insert changes is taken away",
        expires: ("alice", "quest"),
        begin: "IN {db}: REVOKE INSERT ON transitions FROM {role}",
        end: "IN {db}: GRANT INSERT ON transitions TO {role}",
        readiness: "loop_failing",
    },
    Trouble {
        fault: "PostgreSQL: the rights on the table of lapses are taken away",
        expires: ("bob", "quest"),
        begin: "IN {db}: REVOKE SELECT, UPDATE ON lapses FROM {role}",
        end: "IN {db}: GRANT SELECT, UPDATE ON lapses TO {role}",
        readiness: "loop_failing",
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_trouble_of_the_server_the_daemon_goes_on_and_each_email_is_sent_once() {
    let Some(url) = postgres::new_database_with_tables().await else { return };
    let name = postgres::name_of(&url);
    let role = format!("role_{name}");
    let run = |statements: &str| {
        for statement in statements.replace("{db}", &name).replace("{role}", &role).split(';') {
            match statement.split_once(": ") {
                Some((_, statement)) => postgres::run_in(&name, statement),
                None => postgres::run_in("postgres", statement),
            }
        }
    };
    run("CREATE ROLE {role} LOGIN PASSWORD 'hush' IN ROLE with_password");
    postgres::run_in(&name, &format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"));
    postgres::run_in(&name, &format!("GRANT ALL ON SCHEMA public TO {role}"));
    postgres::run_in(&name, &format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"));
    let (simulator, home) = watching_all(&postgres::as_user(&url, &role, "hush"), &["alice", "bob"]).await;
    let daemon = home.daemon().await;
    until_ready(&daemon).await;
    let mut sent = 0;
    for trouble in TROUBLES {
        let before = daemon.running.stderr().len();
        run(trouble.begin);
        run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '{db}%'");
        let (member, connection) = trouble.expires;
        simulator.world().set_status(member, connection, "EXPIRED").unwrap();
        let is_red = async || {
            let (status, body) = readiness(&daemon).await;
            status == 503 && body.starts_with(trouble.readiness)
        };
        until_true(trouble.fault, is_red).await;
        let log = || daemon.running.stderr()[before..].to_owned();
        expect_failing_loop(trouble.fault, trouble.readiness, log).await;
        assert_eq!(simulator.mailbox().received(), sent, "{}", trouble.fault);
        home.run(&["status"]).await;
        run(trouble.end);
        sent += 1;
        mails(&simulator, sent).await;
        until_ready(&daemon).await;
    }
    let ended = daemon.running.stopped().await.well();
    let failures = ended.stderr.lines().filter(|line| line.contains("event=\"loop_failed\"")).count();
    assert!(failures < 120, "a flood of {failures} lines: {}", ended.stderr);
    assert_eq!(simulator.mailbox().received(), sent);
    let mut rows = TestDatabase::connect(&url.parse().unwrap()).await.unwrap();
    assert_eq!(broken_invariants(&mut rows).await, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_with_the_same_data_takes_over() {
    let Some(mut first) = PostgresServer::start() else { return };
    assert!(first.psql("postgres", "CREATE DATABASE app"));
    let proxy = TcpProxy::start(&first.url("app")).await;
    let (simulator, home) = watching_all(&proxy.url(), &["alice"]).await;
    let daemon = home.daemon().await;
    until_ready(&daemon).await;
    first.stop();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let (status, body) = readiness(&daemon).await;
    assert!(status == 503 && body.starts_with("database_unavailable"), "{body}");
    expect_failing_loop("PostgreSQL is stopped", "database_unavailable", || daemon.running.stderr()).await;
    let second = first.successor();
    proxy.lead_to(&second.url("app"));
    mails(&simulator, 1).await;
    until_ready(&daemon).await;
    daemon.running.stopped().await.well();
    assert_eq!(simulator.mailbox().received(), 1);
}
