use super::*;
use crate::store::testing::new_store;

/// A sweep whose second page, behind a poll key, another instance polls.
async fn shared_sweep(after: Option<i64>, wrapped: bool) -> (Store, SweepId, tempfile::TempDir) {
    let (store, folder) = new_store().await;
    store.start_sweep(Time::UNIX_EPOCH, None).await.unwrap();
    let sweep = store.open_sweep().await.unwrap().unwrap().id;
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
