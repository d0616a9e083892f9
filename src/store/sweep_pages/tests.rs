use super::*;
use crate::store::testing::new_store;

async fn new_sweep() -> (Store, SweepId, tempfile::TempDir) {
    let (store, folder) = new_store().await;
    store.start_sweep(Time::UNIX_EPOCH, None).await.unwrap();
    let sweep = store.open_sweep().await.unwrap().unwrap().id;
    (store, sweep, folder)
}

/// A sweep whose second page, behind a poll key, another instance polls.
async fn shared_sweep(after: Option<i64>, wrapped: bool) -> (Store, SweepId, tempfile::TempDir) {
    let (store, sweep, folder) = new_sweep().await;
    let page = query(
        "INSERT INTO sweep_pages (sweep_id, page, after_key, until_key, wrapped, holder)
         VALUES ($1, 2, $2, 20, $3, 'other')",
    );
    store.execute(page.bind(sweep.as_str()).bind(after).bind(wrapped)).await.unwrap();
    (store, sweep, folder)
}

/// Of three members.
fn report(number: i64) -> PageReport {
    PageReport { number, progress: SweepProgress { members: 3, ..SweepProgress::default() } }
}

#[tokio::test]
async fn a_stopped_sweep_covers_what_precedes_the_first_page_that_another_instance_has_not_finished() {
    let at = |last, wrapped| SweepPosition { last, wrapped };
    let here = at(Some(30), false);
    for (own_page, others_page, expected) in [
        (Some(3), at(Some(10), false), at(Some(10), false)),
        (Some(3), at(Some(10), true), at(Some(10), true)),
        (Some(3), at(None, false), at(None, false)),
        (Some(3), at(None, true), at(Some(i64::MAX), false)),
        (None, at(Some(10), false), at(Some(10), false)),
        (Some(1), at(Some(10), false), here),
        // The other instance has taken it over.
        (Some(2), at(Some(10), false), here),
    ] {
        let (store, sweep, _folder) = shared_sweep(others_page.last, others_page.wrapped).await;
        assert_eq!(store.ended_sweep(&sweep).await.unwrap(), None);
        let stopped = store.stop_sweep(&sweep, "outage", here, own_page.map(report), Time::UNIX_EPOCH).await;
        let counts = own_page.map_or_else(SweepProgress::default, |number| report(number).progress);
        assert_eq!(stopped.unwrap(), SweepState::EndedHere(counts));
        let covered = query("SELECT position, wrapped FROM sweeps").fetch_one(&store.reader).await.unwrap();
        let covered = at(covered.try_get("position").unwrap(), covered.try_get("wrapped").unwrap());
        assert_eq!(covered, expected, "{own_page:?} {others_page:?}");
        assert_eq!(store.ended_sweep(&sweep).await.unwrap(), Some((counts, Some("outage".to_owned()))));
    }
}

#[tokio::test]
async fn a_page_that_another_instance_has_taken_over_adds_no_counts() {
    let (store, sweep, _folder) = shared_sweep(Some(10), false).await;
    assert!(store.finish_page(&sweep, report(2)).await.unwrap());
    let left = store.leave_sweep(&sweep, Some((report(2), 15))).await.unwrap();
    assert_eq!(left, SweepProgress::default());
}

async fn enrol(store: &Store, id: &str, poll_key: i64) {
    let member = "INSERT INTO members (member_id, email, subject, poll_key, added_at, updated_at)
         VALUES ($1, '', '', $2, 0, 0)";
    store.execute(query(member).bind(id).bind(poll_key)).await.unwrap();
}

#[tokio::test]
async fn pages_are_numbered_from_one_and_end_with_those_who_were_enrolled_when_the_last_was_handed_out() {
    let (store, sweep, _folder) = new_sweep().await;
    // The lowest key of all.
    enrol(&store, "alice", 0).await;
    let page = store.claim_page(&sweep).await.unwrap().unwrap();
    assert_eq!(page, SweepPage { number: 1, after: None, until: 0, wrapped: false });
    assert_eq!(store.members_to_poll(None, None, 10).await.unwrap().len(), 1);
    enrol(&store, "bob", 10).await;
    let page = store.claim_page(&sweep).await.unwrap().unwrap();
    assert_eq!(page, SweepPage { number: 2, after: Some(0), until: 10, wrapped: false });
    assert_eq!(store.claim_page(&sweep).await.unwrap(), None);
    enrol(&store, "carol", 20).await;
    assert_eq!(store.claim_page(&sweep).await.unwrap(), None);
}

#[tokio::test]
async fn a_page_of_a_dead_instance_is_work_for_the_others_and_that_of_a_live_one_is_not() {
    for is_live in [true, false] {
        let (store, sweep, _folder) = shared_sweep(Some(10), false).await;
        store.execute(query("UPDATE sweeps SET is_handed_out = TRUE")).await.unwrap();
        if is_live {
            let instance =
                "INSERT INTO instances (instance_id, command, version, key_ids, started_at, seen_at)
                 VALUES ('other', 'run', '1', '[]', 0, 0)";
            store.execute(query(instance)).await.unwrap();
        }
        assert_eq!(store.has_work_in(&sweep).await.unwrap(), !is_live);
        let page = store.claim_page(&sweep).await.unwrap().map(|page| page.number);
        assert_eq!(page, (!is_live).then_some(2));
    }
}

#[tokio::test]
async fn a_sweep_that_starts_behind_a_member_ends_with_that_member() {
    let (store, sweep, _folder) = new_sweep().await;
    store.execute(query("UPDATE sweeps SET starts_after = 5")).await.unwrap();
    for (id, poll_key) in [("alice", 5), ("bob", 10)] {
        enrol(&store, id, poll_key).await;
    }
    let page = |number, after, until, wrapped| Some(SweepPage { number, after, until, wrapped });
    for expected in [page(1, Some(5), 10, false), page(2, None, 5, true), None] {
        assert_eq!(store.claim_page(&sweep).await.unwrap(), expected);
    }
}
