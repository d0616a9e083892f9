use super::*;
use futures_util::future::try_join_all;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A writer of a file with one table, and the number of its transactions that were committed.
struct File {
    writer: GroupCommit,
    commits: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl File {
    async fn new(max_time: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.db");
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut first = options.connect().await.unwrap();
        first.execute("CREATE TABLE names (name TEXT)").await.unwrap();
        let commits = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&commits);
        let connect: Connect = Box::new(move || {
            let (options, counter) = (options.clone(), Arc::clone(&counter));
            Box::pin(async move {
                let mut connection = options.connect().await?;
                connection.lock_handle().await?.set_commit_hook(move || {
                    counter.fetch_add(1, Ordering::Relaxed);
                    true
                });
                Ok(connection)
            })
        });
        Self {
            writer: GroupCommit::start_bounded(connect, Health::default(), max_time),
            commits,
            _folder: folder,
        }
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::Relaxed)
    }

    /// A unit that writes and waits for its flush. Its name then stands in the list.
    fn write(&self, name: &'static str, urgency: Urgency, written: &Written) -> JoinHandle<()> {
        let (writer, written) = (self.writer.clone(), Arc::clone(written));
        tokio::spawn(async move {
            let mut turn = writer.begin(urgency).await.unwrap();
            turn.execute("INSERT INTO names VALUES ('a')").await.unwrap();
            turn.has_written = true;
            written.lock().await.push(name);
            turn.finish(Flush::Wait).await.unwrap();
        })
    }
}

type Written = Arc<Mutex<Vec<&'static str>>>;

/// Nothing is slow.
const LONG: Duration = Duration::from_secs(3600);
/// Each unit takes too long for another one.
const NONE: Duration = Duration::ZERO;

#[tokio::test]
async fn units_that_wait_share_a_transaction_unless_it_takes_long() {
    for (max_time, commits) in [(LONG, 1), (NONE, 4)] {
        let (file, written) = (File::new(max_time).await, Written::default());
        let first = file.writer.begin(Urgency::Background).await.unwrap();
        let others = ["one", "two", "three"].map(|name| file.write(name, Urgency::Background, &written));
        tokio::task::yield_now().await;
        drop(first);
        try_join_all(others).await.unwrap();
        assert_eq!(*written.lock().await, ["one", "two", "three"]);
        assert_eq!(file.commits(), commits);
    }
}

#[tokio::test]
async fn a_unit_that_a_person_waits_for_is_committed_before_the_background_units() {
    let (file, written) = (File::new(LONG).await, Written::default());
    let first = file.writer.begin(Urgency::Background).await.unwrap();
    let others = [("sweep", Urgency::Background), ("press", Urgency::Interactive)]
        .map(|(name, urgency)| file.write(name, urgency, &written));
    tokio::task::yield_now().await;
    drop(first);
    try_join_all(others).await.unwrap();
    assert_eq!(*written.lock().await, ["press", "sweep"]);
    assert_eq!(file.commits(), 2);
}

#[tokio::test]
async fn a_background_unit_waits_for_a_few_transactions_of_people_and_not_for_all() {
    let (file, written) = (File::new(NONE).await, Written::default());
    let first = file.writer.begin(Urgency::Interactive).await.unwrap();
    let mut writes = vec![file.write("sweep", Urgency::Background, &written)];
    writes.extend((0..2 * MAX_PASSED_OVER).map(|_| file.write("press", Urgency::Interactive, &written)));
    tokio::task::yield_now().await;
    drop(first);
    try_join_all(writes).await.unwrap();
    let before = written.lock().await.iter().position(|name| *name == "sweep");
    assert_eq!(before, Some(MAX_PASSED_OVER as usize - 1), "the first one had a transaction, too");
}

#[tokio::test]
async fn a_background_unit_comes_first_only_if_background_units_were_passed_over() {
    for urgency in [Urgency::Interactive, Urgency::Background] {
        let (file, written) = (File::new(NONE).await, Written::default());
        let count = 2 * MAX_PASSED_OVER as usize;
        let mut writes: Vec<_> = (0..count).map(|_| file.write("earlier", urgency, &written)).collect();
        tokio::task::yield_now().await;
        let last = file.writer.begin(urgency).await.unwrap();
        writes.push(file.write("sweep", Urgency::Background, &written));
        writes.push(file.write("press", Urgency::Interactive, &written));
        tokio::task::yield_now().await;
        drop(last);
        try_join_all(writes).await.unwrap();
        assert_eq!(written.lock().await[count..], ["press", "sweep"], "{urgency:?}");
    }
}
