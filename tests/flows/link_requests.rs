//! Link views and presses are counted, bots and people separately, and counting changes nothing else.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{domain::Time, store::DomainStats};
use reqwest::Method;

/// Alice received an email about epic a minute ago.
async fn emailed(setup: Setup, members: &[&str]) -> (Harness, String) {
    let h = Harness::watching_with(setup, members).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::minutes(1));
    let link = h.link();
    (h, link)
}

impl Harness {
    /// By domain: views by bots and people, then presses by bots and people.
    async fn link_requests(&self) -> Vec<(String, [u64; 4])> {
        self.app.request_counter.drain_queue().await.expect("the requests are counted");
        self.counted(1).await
    }

    async fn counted(&self, min_members: u32) -> Vec<(String, [u64; 4])> {
        let since = self.clock.now() - TimeDelta::days(30);
        let stats = self.app.store.link_activity(since, min_members).await.expect("the counts");
        let row = |stats: DomainStats| {
            let DomainStats { domain, bot_views, human_views, bot_presses, human_presses } = stats;
            (domain, [bot_views, human_views, bot_presses, human_presses])
        };
        stats.into_iter().map(row).collect()
    }

    /// How many lapses of the last 30 days lapsed, were noticed, opened, redeemed, and recovered.
    async fn funnel(&self) -> [u64; 5] {
        let funnel = self.app.store.funnel(self.clock.now() - TimeDelta::days(30)).await.expect("the funnel");
        [funnel.lapsed, funnel.noticed, funnel.opened, funnel.redeemed, funnel.recovered]
    }
}

fn at_example(counts: [u64; 4]) -> Vec<(String, [u64; 4])> {
    vec![("example.org".to_owned(), counts)]
}

#[tokio::test]
async fn bots_change_nothing_but_the_counts_and_the_link_still_works() {
    let (h, link) = emailed(Setup::default(), &["alice"]).await;
    let before = h.contents().await;
    let scanner = h.browser_named("scanner");
    assert_eq!(scanner.send(Method::HEAD, &link, &[]).await.status, 200);
    assert_eq!(scanner.send(Method::OPTIONS, &link, &[]).await.status, 405);
    for header in [("Sec-Purpose", "prefetch;prerender"), ("Purpose", "prefetch"), ("X-Moz", "prefetch")] {
        assert_eq!(scanner.send(Method::GET, &link, &[header]).await.status, 200);
    }
    assert_eq!(h.contents().await, before, "no response waits for the counter");

    assert_eq!(h.link_requests().await, at_example([4, 0, 0, 0]));
    let is_count = |row: &String| row.starts_with("link_requests: ") || row.starts_with("links: ");
    let other_rows = |rows: Vec<String>| rows.into_iter().filter(|row| !is_count(row)).collect::<Vec<_>>();
    assert_eq!(other_rows(h.contents().await), other_rows(before));
    assert_eq!(h.funnel().await, [1, 1, 0, 0, 0], "a bot opens nothing");
    h.reconnect(&link).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_member_who_reads_the_page_and_presses_is_human() {
    let (h, link) = emailed(Setup::default(), &["alice"]).await;
    let browser = h.browser();
    let page = browser.arrive(&link).await;
    h.clock.advance(TimeDelta::seconds(4));
    assert_eq!(browser.press_on(&page, &link, &[]).await.status, 303);
    assert_eq!(h.link_requests().await, at_example([0, 1, 0, 1]), "both are in one batch");
    assert_eq!(h.funnel().await, [1, 1, 1, 1, 0]);
    h.clock.advance(TimeDelta::days(1));
    browser.arrive(&link).await;
    assert_eq!(h.link_requests().await, at_example([0, 2, 0, 1]));
    assert_eq!(h.link_requests().await, at_example([0, 2, 0, 1]), "nothing is counted twice");
}

#[tokio::test]
async fn a_press_long_after_the_view_was_counted_is_human() {
    let (h, link) = emailed(Setup::default(), &["alice"]).await;
    let page = h.browser().arrive(&link).await;
    assert_eq!(h.link_requests().await, at_example([0, 1, 0, 0]));
    h.clock.advance(TimeDelta::hours(5));
    h.browser().press_on(&page, &link, &[]).await;
    assert_eq!(h.link_requests().await, at_example([0, 1, 0, 1]));
}

#[tokio::test]
async fn early_views_and_quick_presses_are_bots() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let scanner = h.browser_named("scanner");
    h.clock.advance(TimeDelta::seconds(10));
    scanner.arrive(&link).await;
    assert_eq!(h.link_requests().await, at_example([1, 0, 0, 0]), "ten seconds after acceptance");
    h.clock.advance(TimeDelta::minutes(5));
    let page = scanner.arrive(&link).await;
    h.clock.advance(TimeDelta::milliseconds(999));
    let pressed = scanner.press_on(&page, &link, &[]).await;
    assert_eq!((pressed.status, pressed.states()), (200, vec!["ready", "available"]), "nothing is used");
    assert_eq!(h.link_requests().await, at_example([1, 1, 1, 0]), "the press came within a second");
}

#[tokio::test]
async fn requests_for_unknown_links_are_not_counted() {
    let (h, link) = emailed(Setup::default(), &["alice"]).await;
    let before = h.contents().await;
    let unknown = format!("{}{}", &link[..link.len() - 43], "A".repeat(43));
    for _ in 0..3 {
        assert_eq!(h.browser().arrive(&unknown).await.status, 404);
        assert_eq!(h.browser().press(&unknown, &[]).await.status, 404);
    }
    assert_eq!(h.link_requests().await, []);
    assert_eq!(h.contents().await, before);
}

#[tokio::test]
async fn a_link_without_an_email_has_no_minimum_reading_time() {
    let h = Harness::watching(&["alice"]).await;
    let link = h.invitation("alice", "somewhere").await;
    let page = h.browser().arrive(&link).await;
    assert_eq!(h.link_requests().await, at_example([0, 1, 0, 0]));
    h.clock.advance(TimeDelta::seconds(1));
    h.browser().press_on(&page, &link, &[]).await;
    assert_eq!(h.link_requests().await, at_example([0, 1, 0, 1]), "the view is on record");
}

#[tokio::test]
async fn small_domains_are_counted_together_and_old_counts_are_omitted() {
    let (h, link) = emailed(Setup::default(), &["alice", "bob"]).await;
    h.browser().arrive(&link).await;
    assert_eq!(h.link_requests().await, at_example([0, 1, 0, 0]));
    assert_eq!(h.counted(2).await[0].0, "example.org");
    assert_eq!(h.counted(3).await, [("other".to_owned(), [0, 1, 0, 0])]);
    let since = |at: &str| h.app.store.link_activity(at.parse::<Time>().unwrap(), 1);
    assert_eq!(since("2026-03-02T23:59:59Z").await.unwrap().len(), 1);
    assert_eq!(since("2026-03-03T00:00:00Z").await.unwrap(), []);
}

#[tokio::test]
async fn the_counts_of_a_domain_are_deleted_with_its_last_member() {
    for erase in [false, true] {
        let (h, link) = emailed(Setup::default(), &["alice", "bob"]).await;
        h.browser().arrive(&link).await;
        assert_eq!(h.link_requests().await.len(), 1);
        for (member, domains) in [("alice", 1), ("bob", 0)] {
            let member = member.into();
            let removed = match erase {
                true => h.app.store.erase_member(&member, &"erased:1".into(), h.app.clock.now()).await,
                false => h.app.store.remove_member(&member, h.clock.now()).await,
            };
            assert!(removed.unwrap());
            assert_eq!(h.counted(0).await.len(), domains, "erase: {erase}");
        }
    }
}

#[tokio::test]
async fn the_funnel_counts_how_far_each_lapse_of_the_last_30_days_came() {
    let h = Harness::watching(&["alice", "bob"]).await;
    assert_eq!(h.funnel().await, [0; 5]);
    h.set("bob", "basicins", "EXPIRED");
    h.pass().await;
    assert_eq!(h.funnel().await, [1, 0, 0, 0, 0], "no app is configured for bob's source");
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(h.funnel().await, [2, 1, 0, 0, 0]);
    let (link, browser) = (h.link(), h.browser());
    h.browser_named("scanner").arrive(&link).await;
    h.link_requests().await;
    assert_eq!(h.funnel().await, [2, 1, 0, 0, 0], "a view by a bot does not open the link");
    h.clock.advance(TimeDelta::minutes(1));
    browser.arrive(&link).await;
    h.link_requests().await;
    assert_eq!(h.funnel().await, [2, 1, 1, 0, 0]);
    let pressed = browser.press(&link, &[]).await;
    assert_eq!(h.funnel().await, [2, 1, 1, 1, 0]);
    h.sim.world().sign_in(pressed.location.as_deref().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::minutes(1)).await;
    assert_eq!(h.funnel().await, [2, 1, 1, 1, 1]);
    h.clock.advance(TimeDelta::days(30));
    assert_eq!(h.funnel().await, [0; 5]);
}
