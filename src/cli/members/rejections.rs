//! The lines of an import file that cannot be used.

use crate::cli::output::{errln, print_json};
use crate::import::ImportError;
use crate::rows::ImportErrorRow;
use std::io;
use std::path::{Path, PathBuf};

/// Reports rejected lines as they are found: on standard error, or as JSON on standard output.
pub(super) struct Rejections {
    file: PathBuf,
    json: bool,
}

impl Rejections {
    pub(super) fn new(file: &Path, json: bool) -> Self {
        Self { file: file.to_owned(), json }
    }

    pub(super) fn add(&self, error: &ImportError) -> io::Result<()> {
        if self.json {
            return print_json(&ImportErrorRow::from(error));
        }
        errln!("{}: {error}", self.file.display());
        Ok(())
    }

    /// The error with which the command ends.
    pub(super) fn failure(&self) -> anyhow::Error {
        anyhow::anyhow!("nothing was imported; correct what is reported above and import the file again")
    }
}
