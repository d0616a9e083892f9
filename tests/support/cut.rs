//! Drops a future in the middle of its work.

use std::{
    future::poll_fn,
    task::Poll,
    time::{Duration, Instant},
};

/// Runs `work` until it waits for the n-th time, and drops it there. Returns its output if it ends before that.
pub(crate) async fn cut_at<T>(n: usize, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut waits) = (Box::pin(work), 0);
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
