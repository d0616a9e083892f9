//! A server of PostgreSQL that cannot be used, or that fails while it is.

use crate::{Fixture, member, now, postgres, tcp_proxy::TcpProxy};
use chrono::TimeDelta;
use reconnectd::{
    base::config::DatabaseUrl,
    domain::Suppression,
    store::{Store, StoreError},
};
use std::time::{Duration, Instant};

/// Opens a database after statements of the superuser in it. The URL of a role without rights, and with a password.
async fn opened_after(statements: &str) -> Option<Result<Store, StoreError>> {
    let url = postgres::new_database()?;
    let name = postgres::name_of(&url);
    let statements = statements.replace("DATABASE", &name);
    for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
        postgres::run_in(&name, statement);
    }
    Some(Store::open(&postgres::as_user(&url, &format!("user_{name}"), "hush").parse().unwrap()).await)
}

fn reason(opened: Result<Store, StoreError>) -> String {
    match opened {
        Err(StoreError::Open { reason, path }) => {
            assert!(!reason.contains("hush") && !path.contains("hush"), "{reason}");
            reason
        }
        other => panic!("{other:?}"),
    }
}

const SECOND: Duration = Duration::from_secs(1);
const ROLE: &str = "CREATE ROLE user_DATABASE LOGIN PASSWORD 'hush' IN ROLE with_password;";

#[tokio::test]
async fn a_role_with_rights_opens_the_database_with_its_password() {
    let Some(opened) = opened_after(&format!("{ROLE} GRANT ALL ON SCHEMA public TO user_DATABASE")).await
    else {
        return;
    };
    opened.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_an_error_without_it() {
    let wrong = "CREATE ROLE user_DATABASE LOGIN PASSWORD 'other' IN ROLE with_password; GRANT ALL ON SCHEMA public TO user_DATABASE";
    let Some(opened) = opened_after(wrong).await else { return };
    assert!(reason(opened).contains("password"));
}

#[tokio::test]
async fn a_role_that_may_not_create_tables_is_told_what_to_grant() {
    let Some(opened) = opened_after(ROLE).await else { return };
    assert!(reason(opened).contains("GRANT CREATE ON SCHEMA"));
}

#[tokio::test]
async fn a_server_that_loses_commits_is_refused() {
    let off = format!(
        "{ROLE} GRANT ALL ON SCHEMA public TO user_DATABASE; ALTER ROLE user_DATABASE SET synchronous_commit = off"
    );
    let Some(opened) = opened_after(&off).await else { return };
    assert!(reason(opened).contains("synchronous_commit"));
}

#[tokio::test]
async fn the_tables_of_another_program_or_of_a_newer_version_are_refused() {
    let Some(foreign) = opened_after(&format!(
        "{ROLE} GRANT ALL ON SCHEMA public TO user_DATABASE; CREATE TABLE books (title TEXT)"
    ))
    .await
    else {
        return;
    };
    assert!(matches!(foreign, Err(StoreError::OtherProgram { .. })), "{foreign:?}");

    let newer = Fixture::postgres().await.unwrap();
    newer
        .run(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'newer', TRUE, '', 0)",
        )
        .await;
    let opened = Store::open(&newer.url).await;
    assert!(matches!(opened, Err(StoreError::Newer { migration: 9999, .. })), "{opened:?}");
}

#[tokio::test]
async fn another_encoding_is_refused() {
    if postgres::new_database().is_none() {
        return;
    }
    postgres::run_in(
        "postgres",
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0",
    );
    let opened = Store::open(&postgres::url_of("latin").parse().unwrap()).await;
    assert!(reason(opened).contains("LATIN1"));
}

#[tokio::test]
async fn a_database_or_a_server_that_does_not_exist_is_named() {
    let Some(url) = postgres::new_database() else { return };
    let name = postgres::name_of(&url);
    let opened = Store::open(&url.replace(&name, "typo").parse().unwrap()).await;
    assert!(reason(opened).contains("typo"));
    let opened = Store::open(&format!("{url}&sslrootcert=/nowhere/ca.pem").parse().unwrap()).await;
    assert!(reason(opened).contains("sslrootcert"));
    let opened = Store::open(&"postgres://localhost:1/name?host=/nowhere".parse().unwrap()).await;
    assert!(matches!(opened, Err(StoreError::Unreachable { .. })), "{opened:?}");
}

#[tokio::test]
async fn work_goes_on_after_the_server_has_ended_all_sessions() {
    let Some(f) = Fixture::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = &f.url else { panic!("a server") };
    let name = postgres::name_of(&url.to_string());
    f.import(&["alice"]).await;
    let alice = "alice".into();
    for _ in 0..3 {
        postgres::run_in(
            "postgres",
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        );
        let lease = f.store.lease_refresh(&alice, now(), now() + TimeDelta::minutes(1)).await.unwrap();
        f.store.release_refresh_lease(&alice, &lease.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_whose_connection_is_lost_is_continued_by_the_next_start() {
    let Some(url) = postgres::new_database() else { return };
    let proxy = TcpProxy::start(&url).await;
    proxy.cut_at("CREATE TABLE lapses", true);
    let opened = Store::open(&proxy.url().parse().unwrap()).await;
    assert!(matches!(opened, Err(StoreError::Unreachable { .. })), "{opened:?}");
    Store::open(&url.parse().unwrap()).await.unwrap();
}

/// A store on a database of its own, through a proxy. The server ends a statement after a time.
async fn proxied(limit: Duration) -> Option<(Store, TcpProxy)> {
    let proxy = TcpProxy::start(&postgres::new_database_with_tables().await?).await;
    let url: DatabaseUrl = proxy.url().parse().unwrap();
    Some((Store::open(&url.with_limits(1, limit)).await.unwrap(), proxy))
}

/// Returns whether the address was not suppressed before.
async fn suppress(store: &Store, name: &str) -> Result<bool, StoreError> {
    store.suppress(member(name).email.address_hash(), Suppression::Operator, now()).await
}

#[tokio::test]
async fn work_waits_while_the_server_is_gone() {
    let Some((store, proxy)) = proxied(SECOND).await else { return };
    proxy.cut();
    let (first, ()) = tokio::join!(suppress(&store, "alice"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.restore();
    });
    assert!(first.unwrap());
    proxy.delay(Duration::from_millis(5));
    assert!(suppress(&store, "bob").await.unwrap());
}

#[tokio::test]
async fn work_that_gets_no_answer_is_done_on_another_connection() {
    let Some((store, proxy)) = proxied(SECOND).await else { return };
    assert!(suppress(&store, "alice").await.unwrap());
    // Until the connection is in the pool, but not for so long that it is tested before it is used again.
    tokio::time::sleep(Duration::from_millis(50)).await;
    proxy.strand();
    let began = Instant::now();
    assert!(suppress(&store, "bob").await.unwrap());
    assert!(began.elapsed() > Duration::from_secs(1), "the server may take as long for a statement");
}

#[tokio::test]
async fn a_connection_that_was_idle_is_tested_before_work_waits_for_it() {
    let limit = SECOND * 20;
    let Some((store, proxy)) = proxied(limit).await else { return };
    assert!(suppress(&store, "alice").await.unwrap());
    tokio::time::sleep(SECOND / 2).await;
    proxy.strand();
    let began = Instant::now();
    assert!(suppress(&store, "bob").await.unwrap());
    assert!(began.elapsed() < limit);
}

#[tokio::test]
async fn nothing_is_assumed_about_a_commit_without_an_answer() {
    let Some((store, proxy)) = proxied(SECOND).await else { return };
    for (name, arrives) in [("alice", false), ("bob", true)] {
        proxy.cut_at("COMMIT", arrives);
        let suppressed = suppress(&store, name).await;
        assert!(matches!(suppressed, Err(StoreError::Uncertain)), "{suppressed:?}");
        proxy.restore();
        assert_eq!(suppress(&store, name).await.unwrap(), !arrives);
    }
}
