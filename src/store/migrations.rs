//! The migrations of both engines, as parts of the program.
//!
//! The macro of sqlx does the same, but makes each build compile the drivers a second time, for the macro itself.

use include_dir::{Dir, File, include_dir};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

static SQLITE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/sqlite");
static POSTGRES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/postgres");

pub(super) fn for_sqlite() -> Migrator {
    migrator(&SQLITE)
}

pub(super) fn for_postgres() -> Migrator {
    migrator(&POSTGRES)
}

fn migrator(folder: &'static Dir<'static>) -> Migrator {
    Migrator::with_migrations(folder.files().filter_map(migration).collect())
}

/// `None` for a file that is not named like `0005_lapses.sql`, which a test would find.
fn migration(file: &'static File<'static>) -> Option<Migration> {
    let (version, name) = file.path().file_stem()?.to_str()?.split_once('_')?;
    let sql = file.contents_utf8()?.into_sql_str();
    let description = name.replace('_', " ").into();
    Some(Migration::new(version.parse().ok()?, description, MigrationType::Simple, sql, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_program_has_the_migrations_that_sqlx_reads_from_the_folders() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        for (ours, folder) in [(for_sqlite(), "sqlite"), (for_postgres(), "postgres")] {
            let read = Migrator::new(root.join(folder)).await.unwrap();
            let facts = |migrator: &Migrator| -> Vec<_> {
                let of = |it: &Migration| (it.version, it.description.clone(), it.checksum.clone(), it.no_tx);
                migrator.iter().map(of).collect()
            };
            assert_eq!(facts(&ours), facts(&read), "{folder}");
        }
    }
}
