//! A folder to run the binary in, its processes, and waits with a limit.

mod child;
mod home;
mod own_view;

pub(crate) use child::{Ended, Running};
pub(crate) use home::{CLIENT_KEY, Daemon, Home};
pub(crate) use own_view::SmallDisk;

use reconnectd::sim::{Options, ReceivedEmail, Simulator};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The limit of every wait. It allows for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `look` until it returns a value.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Calls `look` until it returns true.
pub(crate) async fn until_true(what: &str, mut look: impl AsyncFnMut() -> bool) {
    until(what, async || look().await.then_some(())).await;
}

/// Like [`until_true`], where nothing else has to run meanwhile.
pub(crate) fn until_sync(what: &str, look: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A simulator on free ports. `members` is the number of numbered members `m1`, `m2`, … that it adds.
pub(crate) async fn simulator(members: u32) -> Simulator {
    Simulator::start(Options { members, ..Options::default() }).await.unwrap()
}

/// Waits for `n` emails.
pub(crate) async fn mails(simulator: &Simulator, n: u64) -> Vec<Arc<ReceivedEmail>> {
    let mails = tokio::time::timeout(PATIENCE, simulator.mailbox().wait_for(n)).await;
    mails.unwrap_or_else(|_| panic!("{} emails arrived, not {n}", simulator.mailbox().received()))
}
