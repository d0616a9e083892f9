//! Drops a future in the middle of its work, or lets something happen then.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::{Duration, Instant},
};

/// Runs `work` until it waits for the n-th time, and drops it there. Returns its output if it ends before that.
pub(crate) async fn cut_at<T>(n: usize, work: impl Future<Output = T>) -> Option<T> {
    until_wait(n, pin!(work)).await
}

/// Runs `work` until it waits for the n-th time, then `blow`, and then the rest of `work`. Also returns whether it came to
/// the blow.
pub(crate) async fn strike_at<T>(
    n: usize,
    work: impl Future<Output = T>,
    blow: impl Future<Output = ()>,
) -> (T, bool) {
    let mut work = pin!(work);
    let ended = until_wait(n, work.as_mut()).await;
    strike_unless(ended, work, blow).await
}

async fn strike_unless<T>(
    ended: Option<T>,
    work: Pin<&mut impl Future<Output = T>>,
    blow: impl Future<Output = ()>,
) -> (T, bool) {
    if let Some(output) = ended {
        return (output, false);
    }
    blow.await;
    (work.await, true)
}

async fn until_wait<T>(n: usize, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut waits = 0;
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            waits += 1;
            if waits < n { Poll::Pending } else { Poll::Ready(None) }
        }
    })
    .await
}

/// Runs `work`, and the tasks that it starts, for some time, and drops it there. Returns its output if it ends before that.
pub(crate) async fn cut_after<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    until_time(time, pin!(work)).await
}

/// Runs `work`, and the tasks that it starts, for some time, then `blow`, and then the rest. See [`strike_at`].
pub(crate) async fn strike_after<T>(
    time: Duration,
    work: impl Future<Output = T>,
    blow: impl Future<Output = ()>,
) -> (T, bool) {
    let mut work = pin!(work);
    let ended = until_time(time, work.as_mut()).await;
    strike_unless(ended, work, blow).await
}

async fn until_time<T>(time: Duration, work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let started = Instant::now();
    let is_over = async {
        // A timer of tokio is not as precise.
        while started.elapsed() < time {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = is_over => None,
        output = work => Some(output),
    }
}
