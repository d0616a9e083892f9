//! The progress bar of a file that is copied and verified. It shows only on a terminal.

use crate::store::BackupProgress;
use indicatif::{ProgressBar, ProgressStyle};

pub(super) struct FileProgress(ProgressBar);

impl FileProgress {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_style(style))
    }

    pub(super) fn show(&self, now: BackupProgress) {
        self.0.set_length(now.total.max(now.bytes));
        self.0.set_message(if now.is_verifying { "copied, verifying" } else { "copied" });
        self.0.set_position(now.bytes);
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
