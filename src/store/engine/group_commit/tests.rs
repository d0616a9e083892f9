use super::*;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// A writer of a file with one table, and the number of its transactions that were committed.
struct File {
    writer: GroupCommit,
    commits: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl File {
    async fn new() -> Self {
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
        Self { writer: GroupCommit::start(connect, Health::default()), commits, _folder: folder }
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::Relaxed)
    }

    /// A unit that writes, waits that long, and waits for its flush. Its name then stands in the list.
    fn write(&self, name: &'static str, urgency: Urgency, takes: Duration, ended: &Ended) -> Write {
        let (writer, ended) = (self.writer.clone(), Arc::clone(ended));
        let unit = async move {
            let mut turn = writer.begin(urgency).await.unwrap();
            turn.execute("INSERT INTO names VALUES ('a')").await.unwrap();
            turn.has_written = true;
            ended.lock().await.push(name);
            tokio::time::sleep(takes).await;
            turn.finish(Flush::Wait).await.unwrap();
        };
        tokio::spawn(unit)
    }
}

type Write = tokio::task::JoinHandle<()>;
type Ended = Arc<Mutex<Vec<&'static str>>>;

const AT_ONCE: Duration = Duration::ZERO;
/// Longer than a transaction takes units.
const LONG: Duration = Duration::from_millis(25);

#[tokio::test]
async fn units_that_wait_share_a_transaction_until_it_takes_long() {
    for (takes, commits) in [(AT_ONCE, 1), (LONG, 2)] {
        let (file, ended) = (File::new().await, Ended::default());
        let first = file.writer.begin(Urgency::Background).await.unwrap();
        let others =
            ["one", "two", "three"].map(|name| file.write(name, Urgency::Background, AT_ONCE, &ended));
        tokio::task::yield_now().await;
        tokio::time::sleep(takes).await;
        drop(first);
        for other in others {
            other.await.unwrap();
        }
        assert_eq!(*ended.lock().await, ["one", "two", "three"]);
        assert_eq!(file.commits(), commits);
    }
}

#[tokio::test]
async fn a_unit_that_a_person_waits_for_is_committed_before_the_background_units() {
    let (file, ended) = (File::new().await, Ended::default());
    let first = file.writer.begin(Urgency::Background).await.unwrap();
    let others = [("sweep", Urgency::Background), ("press", Urgency::Interactive)]
        .map(|(name, urgency)| file.write(name, urgency, AT_ONCE, &ended));
    tokio::task::yield_now().await;
    drop(first);
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(*ended.lock().await, ["press", "sweep"]);
    assert_eq!(file.commits(), 2);
}

#[tokio::test]
async fn a_background_unit_waits_for_a_few_transactions_of_people_and_not_for_all() {
    let (file, ended) = (File::new().await, Ended::default());
    let first = file.writer.begin(Urgency::Interactive).await.unwrap();
    let sweep = file.write("sweep", Urgency::Background, AT_ONCE, &ended);
    let count = 2 * MAX_PASSED_OVER as usize;
    let presses: Vec<_> =
        (0..count).map(|_| file.write("press", Urgency::Interactive, LONG, &ended)).collect();
    tokio::task::yield_now().await;
    drop(first);
    sweep.await.unwrap();
    for press in presses {
        press.await.unwrap();
    }
    let before = ended.lock().await.iter().position(|name| *name == "sweep").unwrap();
    // The first transaction had a press, too, unless the machine was slow.
    assert!([7, 8].contains(&before), "{before}");
}

#[tokio::test]
async fn a_background_unit_comes_first_only_if_background_units_were_passed_over() {
    for urgency in [Urgency::Interactive, Urgency::Background] {
        let (file, ended) = (File::new().await, Ended::default());
        let count = 2 * MAX_PASSED_OVER as usize;
        // Each takes a transaction of its own. In the background, the next ones wait meanwhile.
        let takes = if urgency == Urgency::Background { LONG } else { AT_ONCE };
        let mut writes: Vec<Write> = Vec::new();
        for _ in 0..count {
            writes.push(file.write("earlier", urgency, takes, &ended));
            if urgency == Urgency::Interactive {
                writes.pop().unwrap().await.unwrap();
            }
        }
        while ended.lock().await.len() < count {
            tokio::task::yield_now().await;
        }
        writes.push(file.write("sweep", Urgency::Background, AT_ONCE, &ended));
        writes.push(file.write("press", Urgency::Interactive, AT_ONCE, &ended));
        for write in writes {
            write.await.unwrap();
        }
        assert_eq!(ended.lock().await[count..], ["press", "sweep"], "{urgency:?}");
    }
}
