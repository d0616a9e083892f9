//! Work that is cheaper in batches: what arrives while earlier batches are under way is done together.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Collects items of work. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Batches<T, R, E> {
    waiting: Arc<Mutex<Vec<Waiting<T, R, E>>>>,
    turns: Arc<Semaphore>,
    size: usize,
}

impl<T, R, E> Clone for Batches<T, R, E> {
    fn clone(&self) -> Self {
        Self { waiting: Arc::clone(&self.waiting), turns: Arc::clone(&self.turns), size: self.size }
    }
}

#[derive(Debug)]
struct Waiting<T, R, E> {
    item: Arc<T>,
    result: oneshot::Sender<Result<R, E>>,
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
        Self { waiting: Arc::default(), turns: Arc::new(Semaphore::new(at_once)), size }
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
        self.lock().push(Waiting { item: item.into(), result: sender });
        // Not dropped with the caller: others may wait for the batch, too.
        let batches = self.clone();
        tokio::spawn(async move { batches.run_next(run).await });
        result.await.map_err(|_| Aborted("the work was abandoned".into()))?
    }

    async fn run_next<F>(self, run: impl Fn(Vec<Arc<T>>) -> F)
    where
        F: Future<Output = Result<Vec<R>, E>> + Send + 'static,
    {
        let Ok(_turn) = self.turns.acquire().await else { return };
        let mut batch = self.take();
        if batch.is_empty() {
            return;
        }
        match in_task(run(batch.iter().map(|waiting| Arc::clone(&waiting.item)).collect())).await {
            Ok(results) => {
                for (waiting, result) in batch.into_iter().zip(results) {
                    // The caller may be gone.
                    let _ = waiting.result.send(Ok(result));
                }
            }
            Err(error) if batch.len() > 1 && !error.concerns_all() => {
                tracing::warn!(%error, items = batch.len(), "a batch failed; its items are tried one by one");
                for waiting in batch {
                    let alone = in_task(run(vec![waiting.item])).await;
                    let result = alone.and_then(|mut results| {
                        results.pop().ok_or_else(|| Aborted("there is no result".into()).into())
                    });
                    let _ = waiting.result.send(result);
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

    /// The next items, each with another key.
    fn take(&self) -> Vec<Waiting<T, R, E>> {
        let mut keys = HashSet::new();
        let mut waiting = self.lock();
        let mut left = self.size;
        waiting
            .extract_if(.., |next| {
                let is_next = left > 0 && keys.insert(next.item.key().to_owned());
                left -= usize::from(is_next);
                is_next
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<T, R, E>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turns a panic into an error.
async fn in_task<R: Send + 'static, E: From<Aborted> + Send + 'static>(
    work: impl Future<Output = Result<R, E>> + Send + 'static,
) -> Result<R, E> {
    tokio::spawn(work).await.map_err(|error| Aborted(error.to_string()))?
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

    /// Submits words while the first turn is taken, and returns their results and the batches.
    async fn submit(words: &[&'static str], size: usize) -> (Vec<Result<usize, Failed>>, Vec<usize>) {
        let batches = Batches::<Word, usize, Failed>::new(size, 1);
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let turn = batches.turns.acquire().await.unwrap();
        let submissions = words.iter().map(|word| {
            let sizes = Arc::clone(&sizes);
            batches.submit(Word(word), move |words: Vec<Arc<Word>>| {
                sizes.lock().unwrap().push(words.len());
                async move {
                    assert!(!words.iter().any(|word| word.0 == "panic"));
                    if let Some(word) = words.iter().find(|word| word.0.starts_with("fail")) {
                        return Err(Failed(word.0));
                    }
                    Ok(words.iter().map(|word| word.0.len()).collect())
                }
            })
        });
        let (results, ()) = tokio::join!(join_all(submissions), async {
            tokio::task::yield_now().await;
            drop(turn);
        });
        let sizes = sizes.lock().unwrap().clone();
        (results, sizes)
    }

    #[tokio::test]
    async fn what_waits_is_done_together_up_to_a_bound() {
        let (results, sizes) = submit(&["a", "bb", "ccc"], 2).await;
        assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(sizes, [2, 1]);
    }

    #[tokio::test]
    async fn items_with_the_same_key_are_done_one_after_another() {
        let (results, sizes) = submit(&["a", "a", "bb"], 8).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(sizes, [2, 1]);
    }

    #[tokio::test]
    async fn an_item_that_fails_or_panics_affects_no_other() {
        for bad in ["fail", "panic"] {
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
