//! Opens a database of a PostgreSQL server, with its settings and migrations.

use super::engine::{Pool, Server, Writer, test};
use super::error::{Result, StoreError};
use super::failure::Failure;
use super::holder::Holder;
use super::migrations;
use super::place::Place;
use super::sqlite::Store;
use crate::base::config::PostgresUrl;
use crate::domain::EventTypes;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Row};
use std::fmt::Display;
use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The oldest version that the statements run on, as `server_version_num` counts.
const OLDEST: i32 = 14_00_00;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long work waits for a connection, also while the server restarts.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that was idle for this long is tested before its use. Work that found its connection lost is tried again
/// until that has happened.
const IDLE: Duration = Duration::from_millis(250);

/// Settings of each session. One whose client is gone holds its locks for no longer than others wait for them.
const SESSION: [(&str, &str); 3] = [
    ("default_transaction_isolation", "read committed"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("lock_timeout", "20s"),
];

/// Settings of the session that migrates. Other instances wait for its lock as long as it works, and not much longer when
/// its host is gone.
const MIGRATION_SESSION: [(&str, &str); 2] =
    [("idle_in_transaction_session_timeout", "15s"), ("idle_session_timeout", "15s")];

/// What the server says of itself and of our session.
struct Facts {
    version: i32,
    encoding: String,
    is_standby: bool,
    is_read_only: bool,
    synchronous_commit: String,
    schema: Option<String>,
    user: String,
    can_create: bool,
    has_tables: bool,
    is_migrated: bool,
}

impl Store {
    /// Opens the database. `creates`: makes the tables, if there are none yet.
    pub(super) async fn open_server(url: &PostgresUrl, creates: bool) -> Result<Self> {
        let server = Server::new(connect(url, creates).await?, url.statement_timeout());
        Ok(Self {
            writer: Writer::Postgres(server.clone()),
            reader: Pool::Postgres(server),
            place: Place::Server(url.to_string()),
            file_loss: Arc::default(),
            instance: Arc::default(),
            holder: Holder::default(),
            events: EventTypes::default(),
            notifies_each_member: false,
            actor: None,
            interactive: false,
            ignores_mark: false,
        })
    }
}

async fn connect(url: &PostgresUrl, creates: bool) -> Result<PgPool> {
    let shown = url.to_string();
    let options = PgConnectOptions::from_str(url.expose().as_str())
        .map_err(|error| cannot_open(&shown, error.to_string()))?
        .application_name(&format!("reconnectd/{}", std::process::id()))
        .disable_statement_logging();
    verify_files(url, &shown)?;
    let first = options.clone().options(MIGRATION_SESSION);
    let connecting = timeout(CONNECT_TIMEOUT, first.connect()).await;
    let mut connection = match connecting {
        Ok(connected) => connected.map_err(|error| refused(&shown, error))?,
        Err(_) => return Err(unreachable(&shown, "it does not answer".to_owned())),
    };
    let facts = timeout(CONNECT_TIMEOUT, Facts::read(&mut connection)).await;
    let facts = facts.map_err(|_| unreachable(&shown, "it does not answer".to_owned()))??;
    facts.verify(&shown)?;
    if !facts.is_migrated {
        if facts.has_tables {
            return Err(StoreError::OtherProgram { path: shown });
        }
        if !creates {
            return Err(StoreError::Missing { path: shown });
        }
    }
    migrate(&shown, &facts, &mut connection).await?;
    connection.close().await?;
    // In milliseconds; 0 would mean none.
    let statement_timeout = url.statement_timeout().as_millis().clamp(1, i32::MAX as u128);
    PgPoolOptions::new()
        .max_connections(url.max_connections())
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(verify_durability(connection)))
        .before_acquire(|connection, meta| {
            Box::pin(async move { if meta.idle_for >= IDLE { test(connection).await } else { Ok(true) } })
        })
        .connect_with(options.options(SESSION).options([("statement_timeout", statement_timeout)]))
        .await
        .map_err(|error| refused(&shown, error))
}

impl Facts {
    async fn read(connection: &mut PgConnection) -> Result<Self> {
        let row = sqlx::query(
            "SELECT current_setting('server_version_num')::int AS version,
                (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()) AS encoding,
                pg_is_in_recovery() AS is_standby,
                current_setting('transaction_read_only') = 'on' AS is_read_only,
                current_setting('synchronous_commit') AS synchronous_commit,
                current_schema()::text AS schema, current_user::text AS user,
                coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS can_create,
                EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema()) AS has_tables,
                EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema()
                    AND tablename = '_sqlx_migrations') AS is_migrated",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            version: row.try_get("version")?,
            encoding: row.try_get("encoding")?,
            is_standby: row.try_get("is_standby")?,
            is_read_only: row.try_get("is_read_only")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
            schema: row.try_get("schema")?,
            user: row.try_get("user")?,
            can_create: row.try_get("can_create")?,
            has_tables: row.try_get("has_tables")?,
            is_migrated: row.try_get("is_migrated")?,
        })
    }

    /// Whether the database can hold the tables, and keeps what is committed.
    fn verify(&self, shown: &str) -> Result<()> {
        let reason = if self.version < OLDEST {
            format!(
                "the server is PostgreSQL {}; reconnectd needs {} or newer",
                self.version / 10_000,
                OLDEST / 10_000
            )
        } else if self.encoding != "UTF8" {
            format!(
                "the encoding of the database is {}; create one with `createdb --encoding UTF8 --template template0`",
                self.encoding
            )
        } else if self.is_standby {
            "the server is a standby, which takes no writes; name the primary".to_owned()
        } else if self.is_read_only {
            "its transactions are read-only; turn default_transaction_read_only off for the role, the database, and the \
             server"
                .to_owned()
        } else if self.synchronous_commit == "off" {
            format!(
                "synchronous_commit is off, so that a crash of the server would lose commits and send emails twice; run \
                 `ALTER ROLE \"{}\" SET synchronous_commit = on`",
                self.user
            )
        } else if self.schema.is_none() {
            "no schema of the search_path exists; create one, or correct the search_path of the role"
                .to_owned()
        } else if !self.is_migrated && !self.can_create {
            self.missing_right()
        } else {
            return Ok(());
        };
        Err(cannot_open(shown, reason))
    }

    fn missing_right(&self) -> String {
        let schema = self.schema.as_deref().unwrap_or("public");
        format!(
            "user {user} may not create tables; run `GRANT CREATE ON SCHEMA \"{schema}\" TO \"{user}\"` as the owner of \
             the database",
            user = self.user
        )
    }
}

/// Takes the lock of sqlx, so that several instances can start at once.
async fn migrate(shown: &str, facts: &Facts, connection: &mut PgConnection) -> Result<()> {
    migrations::for_postgres().run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(migration) => StoreError::Newer { path: shown.to_owned(), migration },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
            if Failure::of(&error) != Failure::Other =>
        {
            match Failure::of(&error) {
                Failure::Denied => cannot_open(shown, facts.missing_right()),
                // Each migration is a transaction; the next start continues.
                Failure::ConnectionLost => unreachable(shown, error.to_string()),
                _ => error.into(),
            }
        }
        other => StoreError::Migration(other),
    })
}

/// Fails when a session would not wait until its commits are on disk: the setting can change while the daemon runs.
async fn verify_durability(connection: &mut PgConnection) -> sqlx::Result<()> {
    let is_off: bool = sqlx::query_scalar("SELECT current_setting('synchronous_commit') = 'off'")
        .fetch_one(connection)
        .await?;
    if is_off {
        return Err(sqlx::Error::Configuration(
            "synchronous_commit is off; a crash of the server would lose commits".into(),
        ));
    }
    Ok(())
}

/// Whether the files that the URL names for TLS can be read.
fn verify_files(url: &PostgresUrl, shown: &str) -> Result<()> {
    for (name, file) in
        url.expose().query_pairs().filter(|(name, _)| name.starts_with("ssl") && name != "sslmode")
    {
        if let Err(error) = std::fs::File::open(&*file) {
            return Err(cannot_open(shown, format!("{name}: cannot read {file}: {error}")));
        }
    }
    Ok(())
}

fn cannot_open(shown: &str, reason: String) -> StoreError {
    StoreError::Open { path: shown.to_owned(), reason }
}

fn unreachable(shown: &str, reason: String) -> StoreError {
    StoreError::Unreachable { path: shown.to_owned(), reason }
}

/// Why there is no connection. The server's texts name the user and the database, never the password.
fn refused(shown: &str, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    match (&error, code.as_str()) {
        (_, "28P01") => cannot_open(shown, "the password is wrong; correct database.url".to_owned()),
        (_, "28000") => cannot_open(shown, format!("{error}; see pg_hba.conf of the server")),
        (_, "3D000") => cannot_open(shown, format!("{error}; create it with `createdb --encoding UTF8`")),
        (sqlx::Error::Tls(error), _) => cannot_open(shown, tls_reason(error)),
        // A certificate that rustls rejects.
        (sqlx::Error::Io(error), _) if error.kind() == ErrorKind::InvalidData => {
            cannot_open(shown, tls_reason(error))
        }
        (sqlx::Error::Configuration(error), _) => cannot_open(shown, error.to_string()),
        (sqlx::Error::Io(error), _) => unreachable(shown, error.to_string()),
        _ if Failure::of(&error) == Failure::ConnectionLost || code == "53300" => {
            unreachable(shown, error.to_string())
        }
        _ => cannot_open(shown, error.to_string()),
    }
}

fn tls_reason(error: &impl Display) -> String {
    format!(
        "TLS: {error}; sslrootcert must name the file of the authority that signed the server's certificate, and \
         sslmode=verify-full also compares its host name"
    )
}
