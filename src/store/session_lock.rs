//! Locks between processes on a PostgreSQL server: advisory locks, each held by a session of its own. The server releases
//! them when the session ends, even by a crash.

use super::error::Result;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often the holder makes sure that its session still exists.
const INTERVAL: Duration = Duration::from_secs(3);
/// A session that does not answer for this long is given up.
const TIMEOUT: Duration = Duration::from_secs(5);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// A holder that has just ended may still be about to close its session.
const ATTEMPTS: u32 = 15;
const PAUSE: Duration = Duration::from_millis(100);

/// What only one process does at a time. The number is the same in all versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exclusive {
    Import = 2,
    Rotation = 3,
}

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct SessionLock {
    _stop: DropGuard,
}

impl SessionLock {
    /// Takes the lock, or returns its holder.
    pub(super) async fn acquire(
        pool: &PgPool,
        purpose: Exclusive,
    ) -> Result<std::result::Result<Self, String>> {
        let options = (*pool.connect_options()).clone();
        let locked = timeout(ACQUIRE_TIMEOUT, try_lock(&options, purpose)).await;
        let connection = match locked.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut))? {
            Ok(connection) => connection,
            Err(holder) => return Ok(Err(holder)),
        };
        let stop = CancellationToken::new();
        tokio::spawn(keep(options, purpose, connection, stop.clone()));
        Ok(Ok(Self { _stop: stop.drop_guard() }))
    }
}

/// Opens a session and locks. Several programs can use schemas of one database.
async fn try_lock(
    options: &PgConnectOptions,
    purpose: Exclusive,
) -> sqlx::Result<std::result::Result<PgConnection, String>> {
    const KEYS: &str = "hashtext('reconnectd ' || current_schema()), $1";
    let mut connection = options.connect().await?;
    let lock = format!("SELECT pg_try_advisory_lock({KEYS})");
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let lock = sqlx::query_scalar(sqlx::AssertSqlSafe(lock.as_str())).bind(purpose as i32);
        if lock.fetch_one(&mut connection).await? {
            return Ok(Ok(connection));
        }
    }
    let holder: Option<String> = sqlx::query_scalar(
        "SELECT split_part(a.application_name, '/', 2) || coalesce(' at ' || host(a.client_addr), '')
         FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.objid = $1::int::oid
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND l.classid = ((hashtext('reconnectd ' || current_schema())::bigint + 4294967296) % 4294967296)::oid LIMIT 1",
    )
    .bind(purpose as i32)
    .fetch_optional(&mut connection)
    .await?
    .flatten();
    connection.close().await?;
    Ok(Err(holder.unwrap_or_else(|| "unknown".to_owned())))
}

/// Keeps the session alive, and locks again with another one when the server has ended it.
async fn keep(
    options: PgConnectOptions,
    purpose: Exclusive,
    connection: PgConnection,
    stop: CancellationToken,
) {
    let mut session = Some(connection);
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Some(connection) = &mut session {
            if matches!(timeout(TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                continue;
            }
            session = None;
        }
        match timeout(TIMEOUT, try_lock(&options, purpose)).await {
            Ok(Ok(Ok(connection))) => session = Some(connection),
            // Another process took it meanwhile. Row locks protect the writes of an import, and a
            // rotation writes over nothing that has changed.
            Ok(Ok(Err(_))) => return,
            // Without the server, nothing is written and nothing is sent.
            Ok(Err(_)) | Err(_) => {}
        }
    }
    if let Some(connection) = session {
        let _ = connection.close().await;
    }
}
