//! Members unsubscribe, and operators suppress addresses.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    domain::{EmailAddress, GateVerdict, Suppression},
    notify::deliver::Delivered,
    sim::{ReceivedEmail, SmtpFault, SmtpStage},
    store::{
        AttemptOutcome, ClaimLimits, Handover, HandoverContents, HandoverDecision, HandoverRecipient,
        testing::Cell,
    },
};
use reqwest::{Client, StatusCode};

/// What a mail program reads in a mail's header.
fn stop_in(mail: &ReceivedEmail) -> String {
    let header = mail.header("List-Unsubscribe").expect("the List-Unsubscribe header");
    let url = header.trim().strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    url.expect("an address in angle brackets").to_owned()
}

/// What a mail program posts by itself (RFC 8058).
async fn one_click(url: &str) -> (StatusCode, String) {
    let form = [("List-Unsubscribe", "One-Click")];
    let answer = Client::new().post(url).form(&form).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn address(id: &str) -> EmailAddress {
    format!("{id}@example.org").parse().unwrap()
}

async fn suppress(h: &Harness, id: &str) {
    let hash = address(id).address_hash();
    assert!(h.app.store.suppress(hash, Suppression::Operator, h.clock.now()).await.unwrap());
}

/// Each member has an email about epic, and reminders are due later. Returns alice's unsubscribe link.
async fn mailed(members: &[&str]) -> (Harness, String) {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d,10d");
    let h = Harness::watching_with(setup, members).await;
    for member in members {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    let mails = h.mails();
    assert_eq!(mails.len(), members.len());
    let to_alice = mails.iter().find(|mail| mail.to == ["alice@example.org"]).unwrap();
    let stop = stop_in(to_alice);
    (h, stop)
}

fn mails_to(h: &Harness, id: &str) -> usize {
    h.mails().iter().filter(|mail| mail.to == [format!("{id}@example.org")]).count()
}

#[tokio::test]
async fn each_email_says_how_to_unsubscribe_in_its_header_and_its_text() {
    let (h, stop) = mailed(&["alice"]).await;
    let mail = h.mails().remove(0);
    assert!(mail.text().unwrap().lines().any(|line| line == stop), "{:?}", mail.text());
    assert!(mail.html().unwrap().contains(&stop));
    assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    h.pass_after(TimeDelta::days(3)).await;
    assert_ne!(stop_in(h.mails().last().unwrap()), stop, "each mail has a token of its own");
    assert_eq!(one_click(&stop).await.0, 200, "and the older one works");
}

#[tokio::test]
async fn scanners_that_open_the_address_change_nothing() {
    let (h, stop) = mailed(&["alice"]).await;
    let before = h.contents().await;
    for _ in 0..3 {
        let page = h.look(&stop).await;
        assert_eq!((page.status, page.html.matches("<button").count()), (200, 1), "{}", page.html);
        assert!(page.states() == ["unsubscribe"] && !page.html.contains("alice"));
        assert_eq!(Client::new().head(&stop).send().await.unwrap().status(), 200);
    }
    for method in ["PUT", "DELETE", "OPTIONS"] {
        let method = method.parse().unwrap();
        assert_eq!(Client::new().request(method, &stop).send().await.unwrap().status(), 405);
    }
    let resume = Client::new().get(format!("{stop}/resubscribe")).send().await.unwrap();
    assert_eq!((resume.status().as_u16(), resume.url().as_str()), (200, stop.as_str()), "it leads back");
    assert_eq!(h.contents().await, before);
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(h.mails().len(), 2, "the reminder comes");
}

#[tokio::test]
async fn a_post_with_any_body_unsubscribes_and_a_repetition_gives_the_same_page() {
    let posts: [fn(&str) -> reqwest::RequestBuilder; 4] = [
        |url| Client::new().post(url).form(&[("List-Unsubscribe", "One-Click")]),
        |url| Client::new().post(url),
        |url| {
            let part = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
            Client::new().post(url).header("content-type", "multipart/form-data; boundary=b").body(part)
        },
        |url| Client::new().post(url).header("content-type", "text/x-odd").body("\0\u{7f}"),
    ];
    for post in posts {
        let (h, stop) = mailed(&["alice"]).await;
        for _ in 0..2 {
            let answer = post(&stop).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let page = answer.text().await.unwrap();
            assert!(page.contains("data-state=\"unsubscribed\""), "{page}");
        }
        let later = h.look(&stop).await;
        assert_eq!((later.status, later.states()), (200, vec!["unsubscribed"]));
        h.pass_after(TimeDelta::days(20)).await;
        assert_eq!(h.mails().len(), 1);
    }
}

#[tokio::test]
async fn an_unsubscribed_member_gets_no_reminder_no_first_email_and_no_new_link() {
    let (h, stop) = mailed(&["alice", "bob"]).await;
    let link =
        crate::harness::link_in(h.mails().iter().find(|mail| mail.to[0].starts_with("alice")).unwrap());
    one_click(&stop).await;
    h.set("alice", "kaiser-north", "EXPIRED");
    h.clock.advance(TimeDelta::hours(1));
    let asked = h.person().press(&format!("{link}/resend"), &[]).await.unwrap();
    assert_eq!((asked.status, asked.states()), (200, vec!["ready", "available"]), "no email is promised");
    for _ in 0..5 {
        h.pass_after(TimeDelta::days(3)).await;
    }
    assert_eq!((mails_to(&h, "alice"), mails_to(&h, "bob")), (1, 3), "bob is another matter");
    assert_eq!(h.notice_states("alice").await, ["sent"], "nothing was even planned");
    assert_eq!(h.lapse_states("alice").await, ["epic open", "kaiser-north open"], "and they are watched on");
}

#[tokio::test]
async fn a_paused_or_suppressed_member_is_not_promised_a_new_link() {
    for paused in [true, false] {
        let (h, _) = mailed(&["alice"]).await;
        h.clock.advance(TimeDelta::hours(1));
        if paused {
            h.rows().await.set("members", "paused_at", 1).await.unwrap();
        } else {
            suppress(&h, "alice").await;
        }
        let page = h.press(&format!("{}/resend", h.link())).await;
        assert_eq!(page.states(), ["resend_unavailable"], "paused: {paused}");
        assert_eq!(h.notice_states("alice").await, ["sent"]);
    }
}

#[tokio::test]
async fn the_link_of_an_earlier_email_still_works() {
    let (h, stop) = mailed(&["alice"]).await;
    one_click(&stop).await;
    h.reconnect(&h.link()).await;
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn queued_notices_are_cancelled_with_their_reason() {
    let (h, stop) = mailed(&["alice"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(h.notice_states("alice").await, ["sent", "queued"]);
    one_click(&stop).await;
    let notice = h.notices("alice").await.remove(1);
    assert_eq!((notice.notice.state.as_str(), notice.reason.as_str()), ("cancelled", "suppressed"));
    let tokens = h.rows().await.count("unsubscribe_tokens").await.unwrap();
    assert_eq!(tokens, 1, "a rejected email leaves no token");
}

#[tokio::test]
async fn an_email_under_way_is_not_sent_to_a_member_who_unsubscribes_meanwhile() {
    let (h, stop) = mailed(&["alice"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass_after(TimeDelta::days(3)).await;
    h.clock.advance(TimeDelta::minutes(2));
    let now = h.clock.now();
    let (lease, limits) = (now + TimeDelta::minutes(15), ClaimLimits::slots(1));
    let claim = h.app.store.claim_notices(now, lease, &limits).await.unwrap().remove(0);
    one_click(&stop).await;
    let (token, address) = (reconnectd::base::random::link_token(), address("alice").address_hash());
    let handover = Handover {
        notice: &claim.notice.id,
        attempt: claim.attempt,
        contents: HandoverContents::Recovery,
        recipients: &[HandoverRecipient {
            member: claim.notice.member_id.clone(),
            link: token.hash(),
            items: Vec::new(),
            verified: Vec::new(),
        }],
        address,
        unsubscribe: token.hash(),
        disclosure: "generic",
        expires_at: now,
        now,
    };
    let decision = h.app.store.prepare_handover(&handover, |_| GateVerdict::pass(Vec::new())).await.unwrap();
    assert_eq!(decision, HandoverDecision::RecipientsChanged, "the last step refuses");
    h.app.store.release_leases(now).await.unwrap();
    assert_eq!(
        h.app.deliverer.deliver_one().await.unwrap(),
        Delivered::One(AttemptOutcome::Cancelled),
        "and so does the next attempt, from its first"
    );
    assert_eq!(h.notices("alice").await[1].reason, "suppressed");
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn resubscribing_sends_the_notices_that_are_due() {
    let (h, stop) = mailed(&["alice"]).await;
    let (_, page) = one_click(&stop).await;
    let resume = format!("{stop}/resubscribe");
    let path = url::Url::parse(&resume).unwrap().path().to_owned();
    assert!(page.replace("&#x2f;", "/").contains(&format!("action=\"{path}\"")), "{page}");
    h.pass_after(TimeDelta::days(4)).await;
    assert_eq!(h.mails().len(), 1);
    for _ in 0..2 {
        let view = h.person().press(&resume, &[]).await.unwrap();
        assert_eq!((view.status, view.states()), (200, vec!["resubscribed"]));
    }
    assert_eq!(h.look(&stop).await.states(), ["unsubscribe"]);
    h.pass().await;
    assert_eq!(h.mails().len(), 2, "the reminder that was due");
    assert_eq!(h.notices("alice").await[1].notice.step, 1);
}

#[tokio::test]
async fn no_page_lifts_an_operators_suppression() {
    let (h, stop) = mailed(&["alice"]).await;
    suppress(&h, "alice").await;
    let page = h.look(&stop).await;
    assert!(page.states() == ["unsubscribed"] && !page.has_button(), "{}", page.html);
    one_click(&stop).await;
    for _ in 0..2 {
        let view = h.person().press(&format!("{stop}/resubscribe"), &[]).await.unwrap();
        assert_eq!((view.status, view.has_button()), (200, false));
        assert_eq!(view.states(), ["unsubscribed"]);
    }
    h.pass_after(TimeDelta::days(20)).await;
    assert_eq!(h.mails().len(), 1);
    assert!(h.app.store.unsuppress(address("alice").address_hash(), h.clock.now()).await.unwrap());
    h.pass().await;
    assert_eq!(h.mails().len(), 2, "the operator can");
}

#[tokio::test]
async fn one_members_token_does_nothing_to_another_and_an_unknown_one_nothing_at_all() {
    let (h, stop) = mailed(&["alice", "bob"]).await;
    let made_up = format!("{}{}", &stop[..stop.len() - 43], "A".repeat(43));
    let link = h.link().replace("/r/", "/u/");
    let before = h.contents().await;
    for unknown in [made_up, link, format!("{stop}A")] {
        for view in [
            h.look(&unknown).await,
            h.press(&unknown).await,
            h.person().press(&format!("{unknown}/resubscribe"), &[]).await.unwrap(),
        ] {
            assert_eq!((view.status, view.states()), (404, vec!["link_not_found"]));
        }
    }
    assert_eq!(h.look(&stop.replace("/u/", "/r/")).await.status, 404, "it is no link to reconnect either");
    assert_eq!(h.contents().await, before);
    one_click(&stop).await;
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!((mails_to(&h, "alice"), mails_to(&h, "bob")), (1, 2));
}

#[tokio::test]
async fn a_suppression_follows_the_address_and_not_the_member() {
    let (h, stop) = mailed(&["alice", "bob"]).await;
    one_click(&stop).await;
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(mails_to(&h, "alice"), 1);
    h.enrol_at("alice", "Ada.New@Example.org").await;
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.mails().last().unwrap().to, ["Ada.New@Example.org"], "another address is written to");
    assert_eq!(h.look(&stop).await.states(), ["unsubscribed"], "the link is about the old address");

    let hash = "ada.new@EXAMPLE.ORG".parse::<EmailAddress>().unwrap().address_hash();
    h.app.store.suppress(hash, Suppression::Operator, h.clock.now()).await.unwrap();
    h.enrol_at("bob", "ADA.new@example.org").await;
    let before = h.mails().len();
    h.pass_after(TimeDelta::days(20)).await;
    assert_eq!(h.mails().len(), before, "for every member with the address, in every spelling");
}

#[tokio::test]
async fn an_erased_member_who_returns_gets_no_email_and_nothing_names_them() {
    let (h, stop) = mailed(&["alice"]).await;
    one_click(&stop).await;
    assert!(h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap());
    assert_eq!(h.look(&stop).await.status, 404);
    assert_eq!(one_click(&stop).await.0, 404);
    let kept = h.contents().await;
    assert!(kept.iter().any(|row| row.starts_with("suppressions:")));
    assert!(!kept.iter().any(|row| row.contains("alice")), "{kept:?}");
    let listed = h.app.store.suppressions(None, None, 10).await.unwrap();
    assert_eq!((listed.len(), listed[0].members.len()), (1, 0));
    h.enrol(&["alice"]).await;
    h.pass_after(TimeDelta::days(1)).await;
    h.pass_after(TimeDelta::days(1)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn the_unsubscribe_link_of_a_removed_member_works() {
    let (h, stop) = mailed(&["alice"]).await;
    h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap();
    for page in [h.look(&stop).await, h.press(&stop).await] {
        assert_eq!((page.status, page.states()), (200, vec!["unsubscribed"]));
        assert!(page.forms().is_empty());
    }
    h.enrol(&["alice"]).await;
    assert_eq!(h.look(&stop).await.states(), ["unsubscribed"], "the address stays suppressed");
}

#[tokio::test]
async fn addresses_that_an_earlier_version_took_in_can_be_suppressed_too() {
    let (h, _) = mailed(&["alice", "bob"]).await;
    if h.database_file().is_none() {
        // PostgreSQL has no earlier version.
        return;
    }
    h.rows().await.set("members", "address_hash", Cell::Null).await.unwrap();
    let later = h.another_app(&[]).await;
    suppress(&h, "alice").await;
    assert!(later.store.is_suppressed(&"alice".into()).await.unwrap());
    assert!(!later.store.is_suppressed(&"bob".into()).await.unwrap());
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!((mails_to(&h, "alice"), mails_to(&h, "bob")), (1, 2));
}

#[tokio::test]
async fn unsubscribing_logs_the_member_and_neither_token_nor_address() {
    let (h, stop) = mailed(&["alice"]).await;
    one_click(&stop).await;
    h.person().press(&format!("{stop}/resubscribe"), &[]).await.unwrap();
    suppress(&h, "alice").await;
    h.pass_after(TimeDelta::days(3)).await;
    let token = stop.rsplit('/').next().unwrap();
    assert_eq!(token.len(), 43);
    let logged = h.log.text();
    assert!(logged.contains("member unsubscribed") && logged.contains("member resubscribed"));
    assert!(!logged.contains(token) && !logged.contains("@example.org"));
    for (file, bytes) in h.stored_bytes().await {
        let holds = bytes.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!bytes.is_empty() && !holds, "{file}");
    }
}
