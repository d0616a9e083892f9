//! Work that is cheaper in batches: what arrives while earlier batches are under way is done together.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Collects items of work. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Batches<T, R, E> {
    state: Arc<Mutex<State<T, R, E>>>,
    /// Notified when a whole batch waits.
    is_full: Arc<Notify>,
    size: usize,
    at_once: usize,
    gathering: Duration,
}

impl<T, R, E> Clone for Batches<T, R, E> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), is_full: Arc::clone(&self.is_full), ..*self }
    }
}

#[derive(Debug)]
struct State<T, R, E> {
    waiting: Vec<Waiting<T, R, E>>,
    /// Tasks that take batches. A task ends when nothing waits.
    running: usize,
}

type Run<T, R, E> = dyn Fn(Vec<Arc<T>>) -> BoxFuture<'static, Result<Vec<R>, E>> + Send + Sync;

struct Waiting<T, R, E> {
    item: Arc<T>,
    run: Arc<Run<T, R, E>>,
    result: oneshot::Sender<Result<R, E>>,
}

impl<T, R, E> std::fmt::Debug for Waiting<T, R, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

pub(crate) trait Item: Send + Sync + 'static {
    /// Items with the same key are never in one batch: a later one depends on what an earlier one changes.
    fn key(&self) -> &str;
}

pub(crate) trait BatchError: From<Aborted> + std::fmt::Display + Send + 'static {
    /// Whether every item would fail for the same reason: the database is gone, for example.
    fn concerns_all(&self) -> bool;
}

/// The work panicked, or failed together with other work.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Aborted(String);

impl<T, R, E> Batches<T, R, E>
where
    T: Item,
    R: Send + 'static,
    E: BatchError,
{
    /// `size`: items in one batch. `at_once`: batches under way.
    pub(crate) fn new(size: usize, at_once: usize) -> Self {
        let state = Arc::new(Mutex::new(State { waiting: Vec::new(), running: 0 }));
        Self { state, is_full: Arc::default(), size, at_once, gathering: Duration::ZERO }
    }

    /// While items keep arriving, a batch that is not full waits this long for more of them. An item that comes alone does not
    /// wait.
    pub(crate) fn gathering(self, gathering: Duration) -> Self {
        Self { gathering, ..self }
    }

    /// Does the work for an item, in a batch. `run` returns one result for each item, in their order. If a batch fails, its
    /// items are tried one by one, so that one bad item affects only itself.
    ///
    /// # Errors
    /// The error of `run` for this item alone, or one that concerns all items.
    pub(crate) async fn submit<F>(
        &self,
        item: impl Into<Arc<T>>,
        run: impl Fn(Vec<Arc<T>>) -> F + Send + Sync + 'static,
    ) -> Result<R, E>
    where
        F: Future<Output = Result<Vec<R>, E>> + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let run = Arc::new(move |items| run(items).boxed());
        let is_needed = {
            let mut state = self.lock();
            state.waiting.push(Waiting { item: item.into(), run, result: sender });
            let is_full = state.waiting.len() >= self.size;
            if is_full {
                self.is_full.notify_one();
            }
            // What is not a whole batch is left to a task that gathers.
            let is_awaited = self.gathering > Duration::ZERO && state.running > 0 && !is_full;
            let is_needed = state.running < self.at_once && !is_awaited;
            state.running += usize::from(is_needed);
            is_needed
        };
        if is_needed {
            // Not dropped with the caller: others may wait for the batch, too.
            tokio::spawn(self.clone().run_all());
        }
        result.await.map_err(|_| Aborted("the work was abandoned".into()))?
    }

    /// Runs one batch after another, until nothing waits.
    async fn run_all(self) {
        while let Some(batch) = self.take() {
            let keep_arriving = batch.len() > 1;
            run_batch(batch).await;
            if keep_arriving && self.gathering > Duration::ZERO && self.lock().waiting.len() < self.size {
                let _ = tokio::time::timeout(self.gathering, self.is_full.notified()).await;
            }
        }
    }

    /// The next items, each with another key. `None`: nothing waits, and the task ends.
    fn take(&self) -> Option<Vec<Waiting<T, R, E>>> {
        let mut keys = HashSet::new();
        let mut state = self.lock();
        let mut left = self.size;
        let batch: Vec<_> = state
            .waiting
            .extract_if(.., |next| {
                let is_next = left > 0 && keys.insert(next.item.key().to_owned());
                left -= usize::from(is_next);
                is_next
            })
            .collect();
        if batch.is_empty() {
            state.running -= 1;
            return None;
        }
        Some(batch)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<T, R, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first item tells how all of them are done.
async fn run_batch<T, R, E>(mut batch: Vec<Waiting<T, R, E>>)
where
    T: Item,
    R: Send + 'static,
    E: BatchError,
{
    let Some(first) = batch.first() else { return };
    let run = Arc::clone(&first.run);
    match in_task(run, batch.iter().map(|waiting| Arc::clone(&waiting.item)).collect()).await {
        Ok(results) => {
            for (waiting, result) in batch.into_iter().zip(results) {
                // The caller may be gone.
                let _ = waiting.result.send(Ok(result));
            }
        }
        Err(error) if batch.len() > 1 && !error.concerns_all() => {
            tracing::warn!(
                event = "batch_failed", %error, items = batch.len(),
                "a batch failed; its items are tried one by one"
            );
            for Waiting { item, run, result: sender } in batch {
                let result = in_task(run, vec![item]).await.and_then(|mut results| {
                    results.pop().ok_or_else(|| Aborted("there is no result".into()).into())
                });
                let _ = sender.send(result);
            }
        }
        Err(error) => {
            let text = error.to_string();
            let first = batch.pop();
            for waiting in batch {
                let _ = waiting.result.send(Err(Aborted(text.clone()).into()));
            }
            let _ = first.map(|waiting| waiting.result.send(Err(error)));
        }
    }
}

/// Turns a panic into an error.
async fn in_task<T, R, E>(run: Arc<Run<T, R, E>>, items: Vec<Arc<T>>) -> Result<Vec<R>, E>
where
    T: Item,
    R: Send + 'static,
    E: BatchError,
{
    tokio::spawn(async move { run(items).await }).await.map_err(|error| Aborted(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    #[derive(Debug)]
    struct Word(&'static str);

    impl Item for Word {
        fn key(&self) -> &str {
            self.0
        }
    }

    #[derive(Debug)]
    struct Failed(&'static str);

    impl std::fmt::Display for Failed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl BatchError for Failed {
        fn concerns_all(&self) -> bool {
            self.0 == "fail all"
        }
    }

    impl From<Aborted> for Failed {
        fn from(_: Aborted) -> Self {
            Self("aborted")
        }
    }

    /// Submits words at the same time, and returns their results and the batches.
    async fn submit(words: &[&'static str], size: usize) -> (Vec<Result<usize, Failed>>, Vec<usize>) {
        let batches = Batches::<Word, usize, Failed>::new(size, 1);
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let submissions = words.iter().map(|word| {
            let sizes = Arc::clone(&sizes);
            batches.submit(Word(word), move |words: Vec<Arc<Word>>| {
                sizes.lock().unwrap().push(words.len());
                assert!(!words.iter().any(|word| word.0 == "panic at once"));
                async move {
                    tokio::task::yield_now().await;
                    assert!(!words.iter().any(|word| word.0 == "panic"));
                    if let Some(word) = words.iter().find(|word| word.0.starts_with("fail")) {
                        return Err(Failed(word.0));
                    }
                    Ok(words.iter().map(|word| word.0.len()).collect())
                }
            })
        });
        let results = join_all(submissions).await;
        tokio::task::yield_now().await;
        assert_eq!(batches.lock().running, 0, "no task is left");
        let sizes = sizes.lock().unwrap().clone();
        (results, sizes)
    }

    #[tokio::test]
    async fn what_waits_is_done_together_up_to_a_bound() {
        let (results, sizes) = submit(&["a", "bb", "ccc"], 2).await;
        assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(sizes, [2, 1]);
    }

    /// Submits words to batches of three that gather for as long as nobody tests, and returns the batches.
    async fn gather(rounds: &[&[&'static str]]) -> Vec<usize> {
        let batches = Batches::<Word, usize, Failed>::new(3, 2).gathering(Duration::from_secs(3600));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        for words in rounds {
            let submissions = words.iter().map(|word| {
                let sizes = Arc::clone(&sizes);
                batches.submit(Word(word), move |words: Vec<Arc<Word>>| {
                    sizes.lock().unwrap().push(words.len());
                    async move { Ok(words.iter().map(|word| word.0.len()).collect()) }
                })
            });
            assert!(join_all(submissions).await.iter().all(Result::is_ok));
        }
        sizes.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn what_comes_alone_does_not_wait_for_more() {
        assert_eq!(gather(&[&["a"], &["a"], &["b"], &["c"]]).await, [1, 1, 1, 1]);
    }

    #[tokio::test]
    async fn while_items_keep_arriving_a_batch_waits_until_it_is_full() {
        assert_eq!(gather(&[&["a", "b"], &["c", "d", "e"], &["f", "g", "h"]]).await, [2, 3, 3]);
    }

    #[tokio::test]
    async fn items_with_the_same_key_are_done_one_after_another() {
        let (results, sizes) = submit(&["a", "a", "bb"], 8).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(sizes, [2, 1]);
    }

    #[tokio::test]
    async fn an_item_that_fails_or_panics_affects_no_other() {
        for bad in ["fail", "panic", "panic at once"] {
            let (results, sizes) = submit(&["a", bad, "bb"], 8).await;
            assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true], "{bad}");
            assert_eq!(sizes, [3, 1, 1, 1], "{bad}");
        }
    }

    #[tokio::test]
    async fn a_failure_that_concerns_all_is_not_repeated_for_each() {
        let (results, sizes) = submit(&["a", "fail all", "bb"], 8).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(sizes, [3]);
    }
}
