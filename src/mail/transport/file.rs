//! One file per email.

use super::error::{Accepted, SendError};
use crate::mail::message::Email;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;

/// Writes `<notice id>.eml` atomically, readable by this user only. A second attempt replaces the first.
pub(super) async fn write(directory: &Path, mail: &Email) -> Result<Accepted, SendError> {
    let (id, _) = mail.message_id.split_once('@').unwrap_or((&mail.message_id, ""));
    put(directory, format!("{id}.eml"), mail.bytes.clone()).await?;
    Ok(Accepted { reply: format!("written to {id}.eml") })
}

/// Whether the directory is writable.
pub(super) async fn probe(directory: &Path) -> Result<(), SendError> {
    let path = put(directory, ".probe".to_owned(), Vec::new()).await?;
    tokio::fs::remove_file(path).await.map_err(SendError::local)
}

async fn put(directory: &Path, name: String, bytes: Vec<u8>) -> Result<PathBuf, SendError> {
    let directory = directory.to_owned();
    let written = spawn_blocking(move || put_blocking(&directory, &name, &bytes)).await;
    written.map_err(io::Error::other).flatten().map_err(SendError::local)
}

fn put_blocking(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let (path, partial) = (directory.join(name), directory.join(format!(".{name}.partial")));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, &path)?;
    Ok(path)
}
