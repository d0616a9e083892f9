//! Presses while other writers hold the database.

use crate::harness::{Harness, Setup, unsubscribe_link_in};
use chrono::TimeDelta;
use reconnectd::{
    sim::{FaultKind, Operation, PageResponse},
    store::testing::TestDatabase,
};
use std::time::Duration;

async fn block_writers(h: &Harness) -> TestDatabase {
    let mut other_process = h.rows().await;
    other_process.block_writers().await.expect("the write lock");
    other_process
}

fn assert_busy(page: &PageResponse, what: &str) {
    assert_eq!((page.status, &page.states()[..1]), (503, &["busy"][..]), "{what}");
    assert_eq!(page.headers["retry-after"], "10", "{what}");
    assert!(page.location.is_none() && page.set_cookie().is_none(), "{what}");
}

#[tokio::test]
async fn a_press_that_cannot_write_gets_503_and_changes_nothing_until_it_is_repeated() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let unsubscribe = unsubscribe_link_in(&h.mails()[0]);
    // The press needs a new access token, too.
    h.clock.advance(TimeDelta::hours(2));
    let before = h.contents().await;
    let blocker = block_writers(&h).await;
    let dismissal = format!("{link}/dismiss");
    let (resend, resubscribe) = (format!("{link}/resend"), format!("{link}/resubscribe"));
    let person = h.person();
    let presses = [&link, &resend, &dismissal, &resubscribe, &unsubscribe];
    let pages = presses.map(|address| person.press(address, &[("connection", "epic")]));
    for (page, address) in futures_util::future::join_all(pages).await.into_iter().zip(presses) {
        let page = page.expect("a page");
        assert_busy(&page, address);
        let own_page = address.rsplit_once('/').map_or("", |(page, _)| page);
        let own_page = if own_page.starts_with(&link) { own_page } else { address };
        let path = reqwest::Url::parse(own_page).expect("a URL").path().replace('/', "&#x2f;");
        assert!(page.html.contains(&format!("href=\"{path}\"")), "{address}: {}", page.html);
    }
    assert_eq!(h.look(&link).await.states()[0], "ready", "reads need no lock");
    drop(blocker);
    assert_eq!(h.contents().await, before);
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), 1, "only the second look asked for a URL");

    h.reconnect(&link).await;
}

#[tokio::test]
async fn a_press_whose_url_was_fetched_is_not_consumed_and_can_be_repeated() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let blocker = block_writers(&h).await;
    assert_busy(&h.press(&link).await, "the consumption");
    assert_eq!(h.asked("alice", Operation::GetOauthUrl), 2);
    drop(blocker);
    assert_eq!(h.look(&link).await.states()[..2], ["ready", "available"]);
    h.reconnect(&link).await;
}

#[tokio::test]
async fn rotated_tokens_are_stored_even_when_the_press_gives_up_waiting() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.clock.advance(TimeDelta::hours(2));
    h.fault(Operation::Refresh, FaultKind::Delay { ms: 300 });
    h.sim.world().reset_requests();
    let block = async {
        while h.asked("alice", Operation::Refresh) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        block_writers(&h).await
    };
    let (page, blocker) = tokio::join!(h.press(&link), block);
    assert_busy(&page, "the store of the tokens");
    drop(blocker);
    h.reconnect(&link).await;
    assert_eq!(h.asked("alice", Operation::Refresh), 1, "the first press's tokens were stored");
}

#[tokio::test]
async fn a_direct_reconnection_that_fails_is_undone_as_soon_as_the_writer_is_free() {
    let (h, link) = Harness::mailed(Setup::default(), &[("labcorp", "EXPIRED")]).await;
    h.fault(Operation::CreateConnection, FaultKind::Delay { ms: 300 });
    h.fault(Operation::CreateConnection, FaultKind::Http { status: 503, retry_after: Some("60".into()) });
    h.sim.world().reset_requests();
    let block = async {
        while h.asked("alice", Operation::CreateConnection) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        block_writers(&h).await
    };
    let (page, blocker) = tokio::join!(h.press(&link), block);
    assert_busy(&page, "the undoing");
    assert_eq!(h.look(&link).await.states()[0], "used");
    drop(blocker);
    h.end_faults();
    until_ready(&h, &link).await;
    assert_eq!(h.press(&link).await.states()[0], "signed_in");
}

#[tokio::test]
async fn a_direct_reconnection_that_fails_is_undone_even_when_the_browser_has_gone() {
    let (h, link) = Harness::mailed(Setup::default(), &[("labcorp", "EXPIRED")]).await;
    h.fault(Operation::CreateConnection, FaultKind::Delay { ms: 300 });
    h.fault(Operation::CreateConnection, FaultKind::Http { status: 503, retry_after: Some("60".into()) });
    h.sim.world().reset_requests();
    let is_in_flight = async {
        while h.asked("alice", Operation::CreateConnection) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        page = h.press(&link) => panic!("the press ended first: {}", page.status),
        () = is_in_flight => {}
    }
    assert_eq!(h.look(&link).await.states()[0], "used");
    until_ready(&h, &link).await;
    h.end_faults();
}

async fn until_ready(h: &Harness, link: &str) {
    for _ in 0..1_000 {
        if h.look(link).await.states()[0] == "ready" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the redemption was not returned");
}
