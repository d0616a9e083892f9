//! Opens the database, with its settings and migrations.

use super::engine::{Connect, GroupCommit, Health, Pool, Readers, Writer};
use super::failure::Failure;
use super::file_identity::FileIdentity;
use super::holder::Holder;
use super::open_error::{cannot_open, missing, open_error, shown};
use super::place::Place;
use super::sqlite::Store;
use super::{Result, StoreError, migrations, suppressions, sweeps};
use crate::base::config::DatabaseUrl;
use crate::base::private_files;
use crate::domain::EventTypes;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long a writer waits for another process, such as a backup tool.
pub(super) const BUSY: Duration = Duration::from_secs(60);

impl Store {
    /// Opens the database, creates it if needed, and applies the migrations.
    ///
    /// # Errors
    /// The folder is missing or not writable, the file is not a database, or a newer version created it.
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                create(path)?;
                Self::open_file(path).await
            }
            DatabaseUrl::Postgres(url) => Self::open_server(url, true).await,
        }
    }

    /// Like [`Store::open`], but never creates a database.
    ///
    /// # Errors
    /// Also [`StoreError::Missing`].
    pub(crate) async fn open_existing(url: &DatabaseUrl) -> Result<Self> {
        let path = match url {
            DatabaseUrl::Sqlite(path) => path,
            DatabaseUrl::Postgres(url) => return Self::open_server(url, false).await,
        };
        // A creation that was interrupted leaves an empty file.
        match std::fs::metadata(path) {
            Ok(file) if file.is_file() && file.len() == 0 => Err(missing(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Err(missing(path)),
            _ => Self::open_file(path).await,
        }
    }

    /// Whether [`Store::open`] could create the database file. Leaves no file behind.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub(crate) fn verify_folder(path: &Path) -> Result<()> {
        let mut probe = path.to_owned().into_os_string();
        probe.push(format!(".probe-{}", std::process::id()));
        let probe = Path::new(&probe);
        private_files::create_new(probe)
            .and_then(|_| std::fs::remove_file(probe))
            .map_err(|error| cannot_open(path, &error))
    }

    /// The connections create no file: the pool also opens some later, when the file may be gone.
    pub(super) async fn open_file(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let file = FileIdentity::of(&path).map_err(|error| cannot_open(&path, &error))?;
        let file_loss = Arc::<Notify>::default();
        let base = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let writing = base
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // "FAST" would keep addresses in free pages, where an erasure does not reach them.
            .pragma("secure_delete", "ON")
            // What a savepoint needs for a rollback; files for it would cost more than the writes themselves.
            .pragma("temp_store", "MEMORY");
        migrate(&path, &writing).await?;
        let reading = connecting(&path, file, &file_loss, base.read_only(true));
        let health = Health::default();
        let reader =
            Readers::open(reading, health.clone()).await.map_err(|error| open_error(&path, error))?;
        let writer = GroupCommit::start(connecting(&path, file, &file_loss, writing), health);
        let store = Self {
            writer: Writer::Sqlite(writer),
            reader: Pool::Sqlite(reader),
            place: Place::of_file(path, file),
            file_loss,
            instance: Arc::default(),
            holder: Holder::default(),
            events: EventTypes::default(),
            notifies_each_member: false,
            actor: None,
            interactive: false,
            ignores_mark: false,
        };
        suppressions::backfill_address_hashes(&store).await?;
        sweeps::fill_poll_keys(&store).await?;
        Ok(store)
    }
}

/// Opens connections, and closes one if another file has taken the place of the database.
fn connecting(
    path: &Path,
    file: FileIdentity,
    file_loss: &Arc<Notify>,
    options: SqliteConnectOptions,
) -> Connect {
    let (path, file_loss) = (path.to_owned(), Arc::clone(file_loss));
    Box::new(move || {
        let (path, file_loss, options) = (path.clone(), Arc::clone(&file_loss), options.clone());
        Box::pin(async move {
            let connection = options.connect().await?;
            verify_identity(&path, file, &file_loss)?;
            Ok(connection)
        })
    })
}

fn verify_identity(path: &Path, file: FileIdentity, file_loss: &Notify) -> sqlx::Result<()> {
    if file.is_gone_from(path) {
        file_loss.notify_one();
        return Err(sqlx::Error::Configuration("the database file was deleted or replaced".into()));
    }
    Ok(())
}

/// Creates an empty file if there is none. SQLite makes it a database, and gives the permissions of the file to the files
/// beside it.
fn create(path: &Path) -> Result<()> {
    match private_files::create_new(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_open(path, &error)),
    }
}

async fn migrate(path: &Path, options: &SqliteConnectOptions) -> Result<()> {
    let mut writer = options.connect().await.map_err(|error| open_error(path, error))?;
    let is_foreign: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table')
            AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')",
    )
    .fetch_one(&mut writer)
    .await
    .map_err(|error| open_error(path, error))?;
    if is_foreign {
        return Err(StoreError::OtherProgram { path: shown(path) });
    }
    loop {
        let before = count_applied(&mut writer).await;
        match migrations::for_sqlite().run(&mut writer).await {
            Ok(()) => return Ok(writer.close().await?),
            // Another process has applied the same one. Each is a transaction, so that nothing is half done.
            Err(_) if count_applied(&mut writer).await > before => {}
            Err(error) => return Err(migration_error(path, error)),
        }
    }
}

/// 0 without a table of migrations.
async fn count_applied(writer: &mut SqliteConnection) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(writer).await;
    count.unwrap_or_default()
}

fn migration_error(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => open_error(path, error),
        // The disk is full, for example.
        MigrateError::ExecuteMigration(error, _) if Failure::of(&error) != Failure::Other => {
            open_error(path, error)
        }
        MigrateError::VersionMissing(migration) => StoreError::Newer { path: shown(path), migration },
        other => StoreError::Migration(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::AssertSqlSafe;

    async fn opened(folder: &tempfile::TempDir, existing: bool) -> Result<Store> {
        let url = format!("sqlite://{}", folder.path().join("open.db").display()).parse().unwrap();
        if existing { Store::open_existing(&url).await } else { Store::open(&url).await }
    }

    async fn run(folder: &tempfile::TempDir, sql: &str) {
        let options =
            SqliteConnectOptions::new().filename(folder.path().join("open.db")).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn an_absent_or_empty_file_is_created_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("open.db");
        assert!(matches!(opened(&folder, true).await, Err(StoreError::Missing { .. })));
        assert!(!file.exists());
        std::fs::write(&file, "").unwrap();
        assert!(matches!(opened(&folder, true).await, Err(StoreError::Missing { .. })));
        opened(&folder, false).await.unwrap().close().await;
        opened(&folder, true).await.unwrap().close().await;
    }

    #[tokio::test]
    async fn a_file_of_a_newer_version_or_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        opened(&folder, false).await.unwrap().close().await;
        run(
            &folder,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'newer', true, x'00', 0)",
        )
        .await;
        let newer = opened(&folder, true).await;
        assert!(matches!(newer, Err(StoreError::Newer { migration: 9999, .. })), "{newer:?}");

        let folder = tempfile::tempdir().unwrap();
        run(&folder, "CREATE TABLE bookmarks (url TEXT)").await;
        for existing in [true, false] {
            assert!(matches!(opened(&folder, existing).await, Err(StoreError::OtherProgram { .. })));
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_or_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("open.db");
        std::fs::write(&file, "a text").unwrap();
        assert!(matches!(opened(&folder, true).await, Err(StoreError::NotADatabase { .. })));
        std::fs::remove_file(&file).unwrap();
        opened(&folder, false).await.unwrap().close().await;
        let mut content = std::fs::read(&file).unwrap();
        content[100..].fill(0xa5);
        std::fs::write(&file, content).unwrap();
        let damaged = opened(&folder, true).await;
        assert!(matches!(damaged, Err(StoreError::Damaged(_))), "{damaged:?}");
    }
}
