//! Why a file of the database cannot be opened, and the remedy.

use super::error::StoreError;
use super::failure::Failure;
use std::fmt::Display;
use std::path::Path;

pub(super) fn missing(path: &Path) -> StoreError {
    // A relative path depends on the working directory, which is a frequent mistake.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    StoreError::Missing { path: shown(&absolute) }
}

pub(super) fn open_error(path: &Path, error: sqlx::Error) -> StoreError {
    if Failure::of(&error) == Failure::NotADatabase {
        return StoreError::NotADatabase { path: shown(path) };
    }
    match StoreError::from(error) {
        // They pass without a change of the configuration.
        StoreError::Database(error) if matches!(Failure::of(&error), Failure::Busy | Failure::Full) => {
            StoreError::Database(error)
        }
        StoreError::Database(error) => cannot_open(path, &error),
        other => other,
    }
}

pub(super) fn cannot_open(path: &Path, error: &impl Display) -> StoreError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let reason = if !folder.is_dir() {
        format!("the folder {} does not exist; create it", folder.display())
    } else if path.is_dir() {
        "it is a folder; name a file in it".into()
    } else if path.is_symlink() && !path.exists() {
        "it is a symbolic link to a file that does not exist; correct or remove the link".into()
    } else {
        let owner = if path.exists() { owner(path) } else { owner(folder) };
        format!("{error}; this user must be able to write the file and its folder{owner}")
    };
    StoreError::Open { path: shown(path), reason }
}

/// The owner, in words to append.
fn owner(path: &Path) -> String {
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        let owner = std::os::unix::fs::MetadataExt::uid(&metadata);
        return format!(" ({} belongs to user {owner})", path.display());
    }
    let _ = path;
    String::new()
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn each_cause_for_which_a_file_cannot_be_opened_has_a_remedy() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("folder")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        symlink(at("nothing"), at("broken")).unwrap();
        symlink(at("file"), at("good")).unwrap();
        let uid = folder.path().metadata().unwrap().uid();
        let owned = |path: &Path| format!("({} belongs to user {uid})", path.display());
        for (name, remedy) in [
            ("nowhere/file", "create it".to_owned()),
            ("folder", "name a file in it".into()),
            ("broken", "remove the link".into()),
            ("good", owned(&at("good"))),
            ("file", owned(&at("file"))),
            ("new", owned(folder.path())),
        ] {
            let refused = open_error(&at(name), std::io::Error::other("refused").into());
            let StoreError::Open { path, reason } = refused else { panic!("{name}: {refused}") };
            assert_eq!(path, at(name).display().to_string());
            assert!(reason.contains(&remedy), "{name}: {reason}");
            assert_eq!(reason.contains("refused"), reason.contains("belongs to"), "{name}: {reason}");
        }
    }

    #[test]
    fn a_database_that_is_busy_is_no_file_that_cannot_be_opened() {
        let busy = open_error(Path::new("nowhere/file"), sqlx::Error::PoolTimedOut);
        assert!(!busy.is_unusable_file() && busy.code() == "database_locked", "{busy}");
    }
}
