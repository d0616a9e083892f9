//! A home for a reconnectd, the processes that run in it, and patience with a limit.

mod child;
mod home;

pub(crate) use child::{Ended, Running};
pub(crate) use home::{CLIENT_KEY, Daemon, Home};

use reconnectd::sim::{Options, ReceivedEmail, Simulator};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long anything that a test waits for may take, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to see.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Looks again and again until `look` says that it is so.
pub(crate) async fn until_true(what: &str, mut look: impl AsyncFnMut() -> bool) {
    until(what, async || look().await.then_some(())).await;
}

/// A simulator on free ports, with members `m1` to this beside the named ones.
pub(crate) async fn simulator(members: u32) -> Simulator {
    Simulator::start(Options { members, ..Options::default() }).await.unwrap()
}

/// The first `n` mails.
pub(crate) async fn mails(simulator: &Simulator, n: u64) -> Vec<Arc<ReceivedEmail>> {
    let mails = tokio::time::timeout(PATIENCE, simulator.mailbox().wait_for(n)).await;
    mails.unwrap_or_else(|_| panic!("{} mails came, not {n}", simulator.mailbox().received()))
}
