//! Whatever has become of a link, its page leaves the member a next step, and says nothing untrue.

use crate::harness::{Harness, Setup};
use crate::served_pages::ServedPages;
use chrono::TimeDelta;
use futures_util::future::join;
use reconnectd::sim::{FaultKind, Operation};

/// The fields of the first button of a page.
fn fields(html: &str) -> Vec<(String, String)> {
    let form = html.split("<form").find(|form| form.contains("name=\"connection\"")).expect("a button");
    let value = |name: &str| {
        let after = form.split(&format!("name=\"{name}\" value=\"")).nth(1).expect("a field");
        (name.to_owned(), after.split('"').next().unwrap().to_owned())
    };
    vec![value("form_key"), value("connection")]
}

/// Presses, and drops whatever cookie comes of it, as a browser does that was told to press again meanwhile.
async fn hurried(h: &Harness, link: &str, fields: &[(String, String)]) -> u16 {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    h.browser().post(link, &fields).await.status
}

#[tokio::test]
async fn a_button_that_is_pressed_twice_in_a_hurry_is_pressed_once_and_leads_on() {
    for at_once in [true, false] {
        let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
        let fields = fields(&h.look(&link).await.html);
        h.person().read().await;
        let statuses = if at_once {
            // Both have fetched a URL before the first of them spends the link.
            h.fault(Operation::GetOauthUrl, FaultKind::Delay { ms: 200 });
            let (one, other) = join(hurried(&h, &link, &fields), hurried(&h, &link, &fields)).await;
            [one, other]
        } else {
            [hurried(&h, &link, &fields).await, hurried(&h, &link, &fields).await]
        };
        assert_eq!(statuses, [303, 303], "at once: {at_once}");
        assert_eq!(h.rows().await.numbers("link_buttons", "redemptions").await.unwrap(), [1]);
        let other = [("form_key".to_owned(), "guessed".to_owned()), fields[1].clone()];
        assert_eq!(hurried(&h, &link, &other).await, 410);
        h.clock.advance(TimeDelta::minutes(10));
        assert_eq!(hurried(&h, &link, &fields).await, 410, "for ten minutes");
    }
}

#[tokio::test]
async fn each_view_of_a_page_has_its_own_form_key() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let looks = [h.look(&link).await, h.look(&link).await].map(|page| fields(&page.html)[0].1.clone());
    assert!(looks[0] != looks[1], "{looks:?}");
}

#[tokio::test]
async fn a_resend_soon_after_the_last_email_waits_a_little() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let (resend, sent_at) = (format!("{link}/resend"), h.clock.now());
    h.clock.advance(TimeDelta::seconds(50));
    assert_eq!(h.press(&resend).await.states(), ["email_on_its_way"], "the first one");
    h.pass().await;
    assert_eq!(h.notices("alice").await.len(), 1);
    h.clock.advance(TimeDelta::seconds(10));
    assert_eq!(h.press(&resend).await.states(), ["resend_requested"]);
    assert_eq!(h.press(&resend).await.states(), ["email_on_its_way"], "the second one");
    h.pass().await;
    assert_eq!((h.notices("alice").await.len(), h.mails().len()), (2, 1));
    h.pass_after(sent_at + TimeDelta::seconds(299) - h.clock.now()).await;
    assert_eq!(h.mails().len(), 1);
    h.pass_after(TimeDelta::seconds(1)).await;
    assert_eq!(h.mails().len(), 2, "five minutes after the first");
    assert_eq!(h.look(&h.link()).await.status, 200);
}

#[tokio::test]
async fn behind_a_scanner_that_presses_all_there_is_on_the_only_redemption_a_member_can_reconnect() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let scanner = h.browser_named("scanner/1");
    scanner.arrive(&link).await;
    for form in ["", "/dismiss", "/resend", "/dismiss"] {
        scanner.press(&format!("{link}{form}"), &[("connection", "epic")]).await;
    }
    let member = h.browser();
    let page = member.arrive(&link).await;
    assert_eq!(page.forms(), ["redeem epic", "undo epic"], "{}", page.html);
    assert_eq!(member.press(&link, &[("connection", "epic")]).await.status, 303);
    assert_eq!(h.browser().press(&link, &[("connection", "epic")]).await.status, 410, "and no oftener");
    h.clock.advance(TimeDelta::minutes(10));
    assert_eq!(member.arrive(&link).await.states(), ["used"]);
    member.press(&format!("{link}/resend"), &[]).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2, "who wanted to reconnect can");
}

#[tokio::test]
async fn a_direct_connection_that_is_pressed_twice_is_renewed_once() {
    let setup = Setup::default().set("LINKS__MAX_REDEMPTIONS", 3);
    let (h, link) = Harness::mailed(setup, &[("labcorp", "EXPIRED")]).await;
    let fields = fields(&h.look(&link).await.html);
    h.person().read().await;
    h.fault(Operation::CreateConnection, FaultKind::Delay { ms: 200 });
    let statuses = join(hurried(&h, &link, &fields), hurried(&h, &link, &fields)).await;
    assert_eq!((statuses, hurried(&h, &link, &fields).await), ((200, 200), 200));
    assert_eq!(h.asked("alice", Operation::CreateConnection), 1);
}

#[tokio::test]
async fn of_two_the_one_that_was_pressed_does_not_hide_the_other() {
    let (h, link) =
        Harness::mailed(Setup::default(), &[("epic", "EXPIRED"), ("kaiser-north", "EXPIRED")]).await;
    h.browser_named("scanner/1").press(&link, &[("connection", "epic")]).await;
    let page = h.browser().press(&link, &[("connection", "epic")]).await;
    assert_eq!((page.status, page.location.as_deref()), (410, None));
    assert_eq!(page.states(), ["ready", "resume_elsewhere", "available"], "{}", page.html);
}

#[tokio::test]
async fn the_same_press_made_at_once_spends_one_of_several_redemptions() {
    let setup = Setup::default().set("LINKS__MAX_REDEMPTIONS", 3);
    let (h, link) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    let fields = fields(&h.look(&link).await.html);
    h.person().read().await;
    h.fault(Operation::GetOauthUrl, FaultKind::Delay { ms: 200 });
    assert_eq!(join(hurried(&h, &link, &fields), hurried(&h, &link, &fields)).await, (303, 303));
    assert_eq!(h.rows().await.numbers("link_buttons", "redemptions").await.unwrap(), [1]);
}

/// Another instance's pages, and the link there.
async fn at_another_instance(h: &Harness, link: &str) -> (ServedPages, String) {
    let mut pages = ServedPages::bind();
    pages.serve(&h.another_app(&[]).await);
    let link = link.replace(&origin(link), &format!("http://{}", pages.address()));
    (pages, link)
}

#[tokio::test]
async fn the_same_press_at_two_instances_at_once_spends_one_of_several_redemptions() {
    for (connection, operation, status) in
        [("epic", Operation::GetOauthUrl, 303), ("labcorp", Operation::CreateConnection, 200)]
    {
        let setup = Setup::default().set("LINKS__MAX_REDEMPTIONS", 3);
        let (h, link) = Harness::mailed(setup, &[(connection, "EXPIRED")]).await;
        let (_pages, other) = at_another_instance(&h, &link).await;
        let fields = fields(&h.look(&link).await.html);
        h.person().read().await;
        h.fault(operation, FaultKind::Delay { ms: 200 });
        let statuses = join(hurried(&h, &link, &fields), hurried(&h, &other, &fields)).await;
        assert_eq!(statuses, (status, status), "{connection}");
        assert_eq!(h.rows().await.numbers("link_buttons", "redemptions").await.unwrap(), [1], "{connection}");
    }
}

#[tokio::test]
async fn of_two_people_who_press_at_two_instances_at_once_one_reconnects() {
    let (h, link) = Harness::mailed(Setup::default(), &[("labcorp", "EXPIRED")]).await;
    let (_pages, other) = at_another_instance(&h, &link).await;
    let looks = [h.look(&link).await, h.look(&link).await].map(|page| fields(&page.html));
    h.person().read().await;
    let statuses = join(hurried(&h, &link, &looks[0]), hurried(&h, &other, &looks[1])).await;
    assert!([(200, 410), (410, 200)].contains(&statuses), "{statuses:?}");
    assert_eq!(h.asked("alice", Operation::CreateConnection), 1);
}

#[tokio::test]
async fn a_pressed_button_and_a_dismissed_one_have_different_states() {
    let (h, link) =
        Harness::mailed(Setup::default(), &[("epic", "EXPIRED"), ("kaiser-north", "DISCONNECTED")]).await;
    let (scanner, member) = (h.browser_named("scanner/1"), h.browser());
    scanner.press(&link, &[("connection", "epic")]).await;
    let dismissed = member.press(&format!("{link}/dismiss"), &[("connection", "kaiser-north")]).await;
    assert_eq!(dismissed.status, 303, "back to the page: {}", dismissed.html);
    h.clock.advance(TimeDelta::minutes(10));
    let page = member.arrive(&link).await;
    assert_eq!(page.states(), ["ready", "used", "dismissed"], "{}", page.html);
    assert_eq!(page.forms(), ["redeem kaiser-north", "undo kaiser-north", "resend"]);
    assert_eq!(member.press(&link, &[("connection", "kaiser-north")]).await.status, 303);
}

#[tokio::test]
async fn pressing_a_recovered_connection_shows_the_ones_that_need_the_member() {
    let broken = [("epic", "EXPIRED"), ("kaiser-north", "EXPIRED"), ("labcorp", "EXPIRED")];
    let (h, link) = Harness::mailed(Setup::default(), &broken).await;
    let member = h.browser();
    member.arrive(&link).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(1)).await;
    let page = member.press(&link, &[("connection", "epic")]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.states(), ["ready", "closed_recovered", "available", "available"], "{}", page.html);

    let renewed = member.press(&link, &[("connection", "labcorp")]).await;
    assert_eq!((renewed.status, renewed.location.as_deref()), (303, link.strip_prefix(&origin(&link))));
    h.pass_after(TimeDelta::minutes(1)).await;
    h.set("alice", "kaiser-north", "DELETED");
    h.pass_after(TimeDelta::minutes(1)).await;
    let page = member.press(&link, &[("connection", "kaiser-north")]).await;
    assert_eq!(page.states(), ["recovered"], "{}", page.html);
}

fn origin(link: &str) -> String {
    link.split("/r/").next().unwrap().to_owned()
}

#[tokio::test]
async fn a_removed_connection_leaves_nothing_to_do() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "DELETED");
    h.pass_after(TimeDelta::minutes(15)).await;
    for page in [h.look(&link).await, h.press(&link).await] {
        assert_eq!(page.status, 200);
        assert_eq!(page.states(), ["removed"]);
    }
}

#[tokio::test]
async fn a_link_ends_with_the_recovery_and_offers_another_when_the_connection_breaks_again() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "the lapse is resumed");
    for page in [h.look(&link).await, h.press(&link).await] {
        assert_eq!((page.status, page.location.clone()), (410, None));
        assert_eq!(page.states(), ["expired"]);
    }
    h.press(&format!("{link}/resend")).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    h.reconnect(&h.link()).await;
}

#[tokio::test]
async fn a_failure_that_the_operator_must_repair_promises_no_time() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.sim.world().revoke("alice").unwrap();
    h.clock.advance(TimeDelta::hours(2));
    for _ in 0..5 {
        let page = h.press(&link).await;
        assert_eq!((page.status, page.headers.get("retry-after")), (503, None));
        assert_eq!(page.states(), ["repair_unavailable"]);
    }
    assert_eq!(h.credential("alice").await, "ok", "only a sweep knows whose fault it is");
    h.pass().await;
    assert_eq!(h.credential("alice").await, "rejected");
    let retry_at = async || {
        let credentials = h.app.store.credentials(&"alice".into()).await.unwrap().unwrap();
        credentials.failure.unwrap().retry_at
    };
    let before = retry_at().await;
    h.press(&link).await;
    assert_eq!(retry_at().await, before, "a press does not extend the backoff");
}

#[tokio::test]
async fn characters_that_email_programs_append_to_a_link_are_ignored() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    for tail in ["/", ".", ")", "%3E", "%20", "=20", "%E2%80%8B", "&utm_source=x", "?fbclid=1", "./"] {
        assert_eq!(h.look(&format!("{link}{tail}")).await.status, 200, "{tail}");
    }
    for head in ["/", "%3C", "%22", "%C2%A0", "(", "%0D%0A"] {
        let page = h.look(&link.replace("/r/", &format!("/r/{head}"))).await;
        assert_eq!(page.status, 200, "{head}");
    }
    for other in ["A", "-", "_x"] {
        assert_eq!(h.look(&format!("{link}{other}")).await.status, 404, "{other}");
    }
    assert_eq!(h.press(&format!("{link}/")).await.status, 303);
}

#[tokio::test]
async fn an_unsubscribed_member_is_told_so_instead_of_being_promised_an_email() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__TTL", "1h"), &[("epic", "EXPIRED")]).await;
    let stop = crate::harness::unsubscribe_link_in(&h.mails()[0]);
    // Perhaps it was a scanner that pressed there.
    h.browser_named("scanner/1").press(&stop, &[]).await;
    h.clock.advance(TimeDelta::hours(2));
    let member = h.browser();
    let page = member.arrive(&link).await;
    assert_eq!((page.states(), page.forms()), (vec!["expired"], vec!["resubscribe".to_owned()]));
    let resumed = member.press(&format!("{link}/resubscribe"), &[]).await;
    assert_eq!(resumed.states(), ["resend_requested"]);
    h.pass().await;
    assert_eq!(h.mails().len(), 2);

    let address: reconnectd::domain::EmailAddress = "alice@example.org".parse().unwrap();
    let by_operator = reconnectd::domain::Suppression::Operator;
    h.app.store.suppress(address.address_hash(), by_operator, h.clock.now()).await.unwrap();
    h.clock.advance(TimeDelta::hours(2));
    let page = member.arrive(&h.link()).await;
    assert_eq!(page.forms(), ["resend"], "the page does not reveal the operator's suppression");
    member.press(&format!("{}/resubscribe", h.link()), &[]).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_member_who_requests_a_link_gets_it_although_email_about_the_status_is_off() {
    let (mut h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.start_again(&[("NOTICES__EXPIRED__ENABLED", "false")]).await;
    h.clock.advance(TimeDelta::hours(1));
    h.press(&format!("{link}/resend")).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    assert_eq!(h.press(&h.link()).await.status, 303);
}
