//! A daemon on a copy continues where the daemon on the original stopped.

use crate::harness::{Harness, on_postgres};
use crate::postgres;
use chrono::TimeDelta;
use reconnectd::store::{InstanceCommand, Store};
use tokio_util::sync::CancellationToken;

/// A database of the other engine; a file on a machine without PostgreSQL.
fn other_database(h: &Harness) -> String {
    let file = || format!("sqlite://{}", h.folder.path().join("copy.db").display());
    if on_postgres() { file() } else { postgres::new_database().unwrap_or_else(file) }
}

#[tokio::test]
async fn a_notice_that_is_queued_before_the_copy_is_sent_once_after_it() {
    let h = Harness::queued(&["alice", "bob"]).await;
    let url = other_database(&h);
    let copy = Store::open(&url.parse().unwrap()).await.unwrap();
    let stop = CancellationToken::new();
    h.app.store.copy_to(&copy, h.clock.now(), &stop, &mut |_| {}).await.unwrap();
    copy.close().await;

    let app = h.another_app(&[("DATABASE__URL", &url)]).await;
    let lock = app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
    assert!(h.app.acquire_instance_lock(InstanceCommand::Run).await.is_err());
    assert!(h.app.run_once(&stop).await.is_err(), "the original takes no work");
    assert_eq!(h.recipients(), [] as [&str; 0]);
    app.run_once(&stop).await.unwrap();
    let mut recipients = h.recipients();
    recipients.sort();
    assert_eq!(recipients, ["alice@example.org", "bob@example.org"]);

    h.set("alice", "epic", "CONNECTED");
    h.clock.advance(TimeDelta::hours(1));
    app.run_once(&stop).await.unwrap();
    assert_eq!(h.mails().len(), 2);
    let open = app.store.lapses(None, None, 10).await.unwrap().into_iter();
    let open: Vec<_> = open.filter(|lapse| lapse.closed_at.is_none()).collect();
    assert_eq!(open.len(), 1, "of bob");
    drop(lock);
}
