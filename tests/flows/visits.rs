//! Who visits a link, as far as the server can tell; and that it makes no difference.

use crate::{
    browser::Browser,
    harness::{Harness, Setup},
};
use chrono::TimeDelta;
use reconnectd::{domain::Time, store::DomainVisits};
use reqwest::Method;

/// Alice has had a mail about epic for a minute.
async fn mailed(setup: Setup, members: &[&str]) -> (Harness, String) {
    let h = Harness::watching_with(setup, members).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::minutes(1));
    let link = h.link();
    (h, link)
}

impl Harness {
    /// What was counted: looks by machines and persons, then presses.
    async fn visits(&self) -> Vec<(String, [u64; 4])> {
        self.clock.advance(TimeDelta::seconds(3));
        self.app.recorder.record_due(self.clock.now()).await.expect("visits are counted");
        self.counted(1).await
    }

    async fn counted(&self, fewest: u32) -> Vec<(String, [u64; 4])> {
        let since = self.clock.now() - TimeDelta::days(30);
        let counted = self.app.store.visits(since, fewest).await.expect("the counts");
        let row = |visited: DomainVisits| {
            let DomainVisits { domain, looks_machine, looks_person, presses_machine, presses_person } =
                visited;
            (domain, [looks_machine, looks_person, presses_machine, presses_person])
        };
        counted.into_iter().map(row).collect()
    }

    /// When a person first opened each link.
    async fn openings(&self) -> Vec<Option<i64>> {
        sqlx::query_scalar("SELECT opened_at FROM links ORDER BY created_at")
            .fetch_all(&mut self.sql().await)
            .await
            .expect("the links")
    }
}

fn at_example(counts: [u64; 4]) -> Vec<(String, [u64; 4])> {
    vec![("example.org".to_owned(), counts)]
}

#[tokio::test]
async fn scanners_change_nothing_but_the_counts_and_the_link_still_works() {
    let (h, link) = mailed(Setup::default(), &["alice"]).await;
    let before = h.contents().await;
    let (one, two) = (Browser::named("scanner/1"), Browser::named("scanner/2"));
    assert_eq!(one.send(Method::HEAD, &link, &[]).await.status, 200);
    assert_eq!(one.send(Method::OPTIONS, &link, &[]).await.status, 405);
    h.clock.advance(TimeDelta::seconds(10));
    for browser in [&one, &two] {
        assert_eq!(browser.arrive(&link).await.status, 200);
        h.clock.advance(TimeDelta::seconds(3));
    }
    h.clock.advance(TimeDelta::seconds(10));
    for header in [("Sec-Purpose", "prefetch;prerender"), ("Purpose", "prefetch"), ("X-Moz", "prefetch")] {
        assert_eq!(one.send(Method::GET, &link, &[header]).await.status, 200);
    }
    assert_eq!(h.contents().await, before, "nothing is written while anybody waits");

    assert_eq!(h.visits().await, at_example([6, 0, 0, 0]));
    let noted = |row: &String| row.starts_with("visits: ") || row.starts_with("links: ");
    let but_counts = |rows: Vec<String>| rows.into_iter().filter(|row| !noted(row)).collect::<Vec<_>>();
    assert_eq!(but_counts(h.contents().await), but_counts(before));
    assert_eq!(h.openings().await, [None]);
    h.reconnect(&link).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_member_who_opens_the_page_and_presses_is_a_person() {
    let (h, link) = mailed(Setup::default(), &["alice"]).await;
    let browser = Browser::new();
    let opened = h.clock.now();
    browser.arrive(&link).await;
    h.clock.advance(TimeDelta::seconds(4));
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    assert_eq!(h.visits().await, at_example([0, 1, 0, 1]));
    assert_eq!(h.openings().await, [Some(opened.timestamp_millis())]);
    h.clock.advance(TimeDelta::days(1));
    browser.arrive(&link).await;
    assert_eq!(h.visits().await, at_example([0, 2, 0, 1]));
    assert_eq!(h.openings().await, [Some(opened.timestamp_millis())], "the first time counts");
    assert_eq!(h.visits().await, at_example([0, 2, 0, 1]), "nothing is counted twice");
}

#[tokio::test]
async fn a_person_may_press_long_after_the_look_and_after_a_restart() {
    let (h, link) = mailed(Setup::default(), &["alice"]).await;
    Browser::new().arrive(&link).await;
    h.app.recorder.flush().await.unwrap();
    h.clock.advance(TimeDelta::hours(5));
    Browser::new().press(&link, &[]).await;
    assert_eq!(h.visits().await, at_example([0, 1, 0, 1]));
}

#[tokio::test]
async fn what_comes_with_the_mail_or_presses_at_once_is_a_machine() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let scanner = Browser::named("scanner/1");
    h.clock.advance(TimeDelta::seconds(10));
    scanner.arrive(&link).await;
    assert_eq!(h.visits().await, at_example([1, 0, 0, 0]), "ten seconds after the mail");
    h.clock.advance(TimeDelta::minutes(5));
    scanner.arrive(&link).await;
    h.clock.advance(TimeDelta::milliseconds(999));
    scanner.press(&link, &[]).await;
    assert_eq!(
        h.visits().await,
        at_example([1, 1, 1, 0]),
        "a second look, and a press within a second of it"
    );
    assert_eq!(h.openings().await.len(), 1);
}

#[tokio::test]
async fn visits_are_judged_by_what_comes_within_three_seconds_and_counted_after_that() {
    let (h, link) = mailed(Setup::default(), &["alice"]).await;
    let record = async || h.app.recorder.record_due(h.clock.now()).await.unwrap();
    Browser::named("one").arrive(&link).await;
    h.clock.advance(TimeDelta::milliseconds(2999));
    assert_eq!(record().await, 0);
    assert_eq!(h.counted(1).await, []);
    Browser::named("two").arrive(&link).await;
    h.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(record().await, 1);
    assert_eq!(h.counted(1).await, at_example([1, 0, 0, 0]), "the other one has come");
    h.clock.advance(TimeDelta::milliseconds(2999));
    assert_eq!(record().await, 1);
    assert_eq!(h.counted(1).await, at_example([2, 0, 0, 0]), "the first one is remembered for it");

    h.clock.advance(TimeDelta::minutes(1));
    Browser::named("one").arrive(&link).await;
    assert_eq!(h.app.recorder.flush().await.unwrap(), 1);
    assert_eq!(h.counted(1).await, at_example([2, 1, 0, 0]), "at the end nothing is waited for");
}

#[tokio::test]
async fn visits_to_links_that_are_not_known_are_answered_like_any_and_leave_nothing() {
    let (h, link) = mailed(Setup::default(), &["alice"]).await;
    let before = h.contents().await;
    let unknown = format!("{}{}", &link[..link.len() - 43], "A".repeat(43));
    for _ in 0..3 {
        assert_eq!(Browser::new().arrive(&unknown).await.status, 404);
        assert_eq!(Browser::new().press(&unknown, &[]).await.status, 404);
    }
    assert_eq!(h.visits().await, []);
    assert_eq!(h.contents().await, before);
}

#[tokio::test]
async fn a_link_that_an_operator_hands_on_is_opened_by_persons_from_the_start() {
    let h = Harness::watching(&["alice"]).await;
    let member = "alice".into();
    let source = h.app.operator.source(&member, &"somewhere".into()).await.unwrap();
    let (token, _) = h.app.operator.invite_by_hand(&member, &source).await.unwrap();
    let link = format!("http://{}/r/{}", h.app.config.links.listen, token.expose());
    Browser::new().arrive(&link).await;
    assert_eq!(h.visits().await, at_example([0, 1, 0, 0]));
    Browser::new().press(&link, &[]).await;
    assert_eq!(h.visits().await, at_example([0, 1, 0, 1]), "the look before is remembered");
}

#[tokio::test]
async fn domains_of_few_members_are_put_together_and_old_visits_left_out() {
    let (h, link) = mailed(Setup::default(), &["alice", "bob"]).await;
    Browser::new().arrive(&link).await;
    assert_eq!(h.visits().await, at_example([0, 1, 0, 0]));
    assert_eq!(h.counted(2).await[0].0, "example.org");
    assert_eq!(h.counted(3).await, [("other".to_owned(), [0, 1, 0, 0])]);
    let since = |at: &str| h.app.store.visits(at.parse::<Time>().unwrap(), 1);
    assert_eq!(since("2026-03-02T23:59:59Z").await.unwrap().len(), 1);
    assert_eq!(since("2026-03-03T00:00:00Z").await.unwrap(), []);
    h.clock.advance(TimeDelta::days(401));
    Browser::new().arrive(&link).await;
    h.visits().await;
    let all = since("2026-03-01T00:00:00Z").await.unwrap();
    assert_eq!(all.iter().map(|one| one.looks_person).sum::<u64>(), 1, "after a year they are forgotten");
}

#[tokio::test]
async fn a_domain_goes_with_the_last_member_who_has_an_address_there() {
    for erase in [false, true] {
        let (h, link) = mailed(Setup::default(), &["alice", "bob"]).await;
        Browser::new().arrive(&link).await;
        assert_eq!(h.visits().await.len(), 1);
        for (member, left) in [("alice", 1), ("bob", 0)] {
            let member = member.into();
            let gone = match erase {
                true => h.app.store.erase_member(&member).await,
                false => h.app.store.remove_member(&member, h.clock.now()).await,
            };
            assert!(gone.unwrap());
            assert_eq!(h.counted(0).await.len(), left, "erased: {erase}");
        }
    }
}

#[tokio::test]
async fn the_funnel_counts_how_far_each_lapse_of_thirty_days_has_come() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let funnel = async || {
        let funnel = h.app.store.funnel(h.clock.now() - TimeDelta::days(30)).await.unwrap();
        [funnel.lapsed, funnel.noticed, funnel.opened, funnel.redeemed, funnel.recovered]
    };
    assert_eq!(funnel().await, [0; 5]);
    h.set("bob", "basicins", "EXPIRED");
    h.pass().await;
    assert_eq!(funnel().await, [1, 0, 0, 0, 0], "there is no app to send bob to");
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(funnel().await, [2, 1, 0, 0, 0]);
    let (link, browser) = (h.link(), Browser::new());
    Browser::named("scanner").arrive(&link).await;
    h.visits().await;
    assert_eq!(funnel().await, [2, 1, 0, 0, 0], "a machine's look opens nothing");
    h.clock.advance(TimeDelta::minutes(1));
    browser.arrive(&link).await;
    h.visits().await;
    assert_eq!(funnel().await, [2, 1, 1, 0, 0]);
    let pressed = browser.press(&link, &[]).await;
    assert_eq!(funnel().await, [2, 1, 1, 1, 0]);
    h.sim.world().sign_in(pressed.location().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::minutes(1)).await;
    assert_eq!(funnel().await, [2, 1, 1, 1, 1]);
    h.clock.advance(TimeDelta::days(30));
    assert_eq!(funnel().await, [0; 5]);
}
