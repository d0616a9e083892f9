//! Whether a database takes work.

use super::copy_mark::{CopyMark, CopyState, SELECT};
use super::engine::query;
use super::{Result, Store};

const DELETE: &str = "DELETE FROM copy_mark";

impl Store {
    /// Why the database takes no work; `None` if it does. Waits for no other process.
    pub async fn copy_mark(&self) -> Result<Option<CopyMark>> {
        CopyMark::read(query(SELECT).fetch_optional(&self.reader).await?)
    }

    /// # Errors
    /// [`StoreError::Copied`](super::StoreError::Copied) or [`StoreError::IncompleteCopy`](super::StoreError::IncompleteCopy): the database takes no work.
    pub(crate) async fn verify_takes_work(&self) -> Result<()> {
        match self.copy_mark().await? {
            Some(mark) => Err(mark.refusal(&self.place)),
            None => Ok(()),
        }
    }

    /// # Errors
    /// [`StoreError::IncompleteCopy`](super::StoreError::IncompleteCopy): rows are missing.
    pub(crate) async fn verify_complete(&self) -> Result<()> {
        match self.copy_mark().await? {
            Some(mark) if mark.state == CopyState::Incomplete => Err(mark.refusal(&self.place)),
            _ => Ok(()),
        }
    }

    /// Lets a database that was copied take work again. Returns whether it was marked.
    ///
    /// # Errors
    /// [`StoreError::IncompleteCopy`](super::StoreError::IncompleteCopy): rows are missing.
    pub async fn reopen(&self) -> Result<bool> {
        self.verify_complete().await?;
        Ok(self.despite_mark().execute(query(DELETE)).await? > 0)
    }

    /// Ends the time in which this database takes no work.
    pub(super) async fn remove_mark(&self) -> Result<()> {
        self.despite_mark().execute(query(DELETE)).await.map(drop)
    }

    /// A handle for the copy itself.
    pub(super) fn despite_mark(&self) -> Self {
        Self { ignores_mark: true, ..self.clone() }
    }
}
