//! Prints the steps of a demo as they happen, and waits for them.

use crate::cli::output::outln;
use anyhow::Context;
use std::io;
use std::time::{Duration, Instant};

pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Steps(Instant);

impl Steps {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn print(&self, words: &str) -> io::Result<()> {
        outln!("{:>6.1}s  {words}", self.0.elapsed().as_secs_f32());
        Ok(())
    }
}

pub(super) async fn until(
    what: &str,
    mut done: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let polling = async {
        while !done().await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    tokio::time::timeout(STEP_TIMEOUT, polling)
        .await
        .with_context(|| format!("timed out waiting for {what}"))?
}
