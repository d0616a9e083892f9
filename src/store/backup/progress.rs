//! How far a backup or a restoration is.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;
use tokio::select;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at the file.
const INTERVAL: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Copying,
    Verifying,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// Whether the file is written, and is read again.
    pub is_verifying: bool,
    pub bytes: u64,
    /// An estimate.
    pub total: u64,
}

pub(super) type Watch<'a> = &'a mut (dyn FnMut(BackupProgress) + Send);

/// Does the work, and reports the size of the file meanwhile.
pub(super) async fn watched<T>(
    work: impl Future<Output = T>,
    file: &Path,
    stage: Stage,
    total: u64,
    watch: Watch<'_>,
) -> T {
    let mut work = pin!(work);
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        select! {
            biased;
            result = &mut work => return result,
            _ = ticks.tick() => {
                let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
                watch(BackupProgress { is_verifying: stage == Stage::Verifying, bytes, total });
            }
        }
    }
}
