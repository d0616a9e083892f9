//! Stores the rows of a file beside the members. No member changes before the whole file was read.

use super::error::ImportError;
use super::reader::MemberFile;
use super::row::MemberLine;
use crate::credentials::keyring::{Keyring, KeyringError};
use crate::store::{Import, ImportRow, StoreError};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinError;

/// An import stops after so many rejected lines.
const MAX_REJECTIONS: u32 = 20;

/// Hears how the file is read.
pub(crate) trait StagingObserver {
    /// A line that cannot be used.
    fn rejected(&mut self, error: ImportError) -> io::Result<()>;

    /// From the start of the file.
    fn bytes_read(&mut self, _bytes: u64) {}
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StagingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the task that reads the file has ended")]
    Reader(#[from] JoinError),
    /// The observer could not report a line.
    #[error(transparent)]
    Observer(#[from] io::Error),
}

/// A file that was read to its end.
pub(crate) struct Staged {
    pub(crate) rows: u64,
    pub(crate) file: MemberFile,
}

/// Rows of the file, ready to be stored.
#[derive(Default)]
struct Batch {
    rows: Vec<ImportRow>,
    rejected: Vec<ImportError>,
    /// From the start of the file.
    bytes_read: u64,
}

/// Reads the file and seals its tokens, ahead of the database. Ends early when nobody receives the batches.
fn read(
    mut file: MemberFile,
    keyring: &Keyring,
    size: usize,
    batches: &mpsc::Sender<Batch>,
) -> Result<MemberFile, KeyringError> {
    loop {
        let mut batch = Batch::default();
        for row in file.by_ref().take(size) {
            match row {
                Err(error) => batch.rejected.push(error),
                Ok(MemberLine { line, edit, refresh_token, .. }) => {
                    let credential =
                        refresh_token.map(|token| keyring.new_credential(&edit.id, &token)).transpose()?;
                    batch.rows.push(ImportRow { line, edit, credential });
                }
            }
        }
        batch.bytes_read = file.bytes_read();
        let is_last = batch.rows.len() + batch.rejected.len() < size;
        if batches.blocking_send(batch).is_err() || is_last {
            return Ok(file);
        }
    }
}

/// Stores all rows. `None` when a line was rejected.
pub(crate) async fn stage(
    import: &mut Import,
    file: MemberFile,
    keyring: Arc<Keyring>,
    observer: &mut impl StagingObserver,
) -> Result<Option<Staged>, StagingError> {
    let (sender, mut batches) = mpsc::channel(1);
    let size = import.step();
    let reading = tokio::task::spawn_blocking(move || read(file, &keyring, size, &sender));
    let (mut rows, mut rejected) = (0, 0);
    while let Some(batch) = batches.recv().await {
        observer.bytes_read(batch.bytes_read);
        for error in batch.rejected {
            observer.rejected(error)?;
            rejected += 1;
            if rejected == MAX_REJECTIONS {
                // The reader may wait for a pipe that stays open.
                return Ok(None);
            }
        }
        // After an error the remaining lines are only checked.
        if rejected == 0 {
            import.stage(&batch.rows).await?;
            rows += batch.rows.len() as u64;
        }
    }
    let file = reading.await??;
    if rejected == 0 {
        for line in import.lines_without_address(MAX_REJECTIONS).await? {
            observer.rejected(ImportError::missing_address(line))?;
            rejected += 1;
        }
    }
    Ok((rejected == 0).then_some(Staged { rows, file }))
}
