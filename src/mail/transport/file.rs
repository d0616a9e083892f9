//! One file per email.

use super::error::{Accepted, SendError};
use crate::base::private_files;
use crate::mail::message::Email;
use std::{
    fs,
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
    private_files::create_dir(directory)?;
    let (path, partial) = (directory.join(name), directory.join(format!(".{name}.partial")));
    // An attempt that was interrupted leaves one.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private_files::create_new(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, &path)?;
    Ok(path)
}
