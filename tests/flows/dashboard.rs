//! The dashboard.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::{AuditAction, EmailAddress, HoldScope, MemberId, Suppression};
use reconnectd::server;
use reconnectd::sim::{PageResponse, SmtpFault, SmtpStage, TestBrowser};
use reconnectd::store::{AbandonedFilter, NewHold};
use reconnectd::web;
use reqwest::Method;
use tokio_util::sync::{CancellationToken, DropGuard};

const HOUR: TimeDelta = TimeDelta::hours(1);
/// Each view, and the list of changes.
const VIEWS: [&str; 9] =
    ["/", "/broken", "/reached", "/sources", "/held", "/failed", "/unreachable", "/member", "/audit"];

/// Tokens `reader` and `writer`, of the same names.
fn setup() -> Setup {
    let entry = |name: &str, sha256: &str, scope: &str| {
        format!("{{ name = '{name}', sha256 = '{sha256}', scope = '{scope}' }}")
    };
    let reader = entry("reader", "3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30", "read");
    let writer = entry("writer", "b93006774cbdd4b299389a03ac3d88c3a76b460d538795bc12718011a909fba5", "write");
    Setup::default().set("ADMIN__TOKENS", format!("[{reader}, {writer}]"))
}

struct Site {
    base: String,
    browser: TestBrowser,
    _server: DropGuard,
}

impl Site {
    /// Nobody is logged in.
    async fn open(h: &Harness) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let ending = CancellationToken::new();
        let router = server::admin_router(&h.app);
        tokio::spawn(web::serve(listener, router, web::ServerLimits::default(), ending.clone()));
        Self { base, browser: TestBrowser::new().unwrap(), _server: ending.drop_guard() }
    }

    async fn logged_in(h: &Harness, token: &str) -> Self {
        let site = Self::open(h).await;
        assert_eq!(site.log_in(token).await.status, 303);
        site
    }

    async fn log_in(&self, token: &str) -> PageResponse {
        self.post("/login", &[("token", token), ("to", "/")]).await
    }

    async fn get(&self, path: &str) -> PageResponse {
        self.browser.open(&format!("{}{path}", self.base)).await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> PageResponse {
        self.browser.post(&format!("{}{path}", self.base), fields).await.unwrap()
    }

    /// Opens the page that asks, then presses its button. Returns the page that tells the result.
    async fn confirm(&self, ask: &str) -> PageResponse {
        let page = self.get(ask).await;
        assert_eq!(page.status, 200, "{}", page.html);
        let content = page.html.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
        let form = content.split("<form").last().unwrap();
        let action =
            form.split("action=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#x2f;", "/");
        let fields: Vec<(String, String)> = form
            .split("name=\"")
            .skip(1)
            .map(|rest| {
                let value = rest.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
                (rest.split('"').next().unwrap().to_owned(), value.replace("&#x2f;", "/"))
            })
            .collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let done = self.post(&action, &fields).await;
        assert_eq!(done.status, 303, "{}", done.html);
        self.get(done.location.as_deref().unwrap()).await
    }
}

/// The answer of a page, without the markup.
fn answer(page: &PageResponse) -> String {
    let answer =
        page.html.split("class=\"answer\">").nth(1).expect("an answer").split("</p>").next().unwrap();
    let text: String =
        answer.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    text.replace("&#x27;", "'")
}

fn result(page: &PageResponse) -> Option<String> {
    let text = page.html.split("role=\"status\">").nth(1)?.split('<').next()?;
    Some(text.to_owned())
}

async fn audit(h: &Harness) -> Vec<String> {
    let rows = h.app.store.audit(None, h.clock.now() - TimeDelta::days(1), None, 100).await.unwrap();
    rows.into_iter()
        .filter(|row| row.action != AuditAction::Login.as_str() && row.action != AuditAction::Read.as_str())
        .map(|row| {
            let about = row.member_id.or(row.target).unwrap_or_default();
            format!("{} {} {about} {}", row.actor, row.action, row.affected.unwrap_or(0)).trim().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn without_a_token_the_dashboard_is_closed_and_says_what_to_set() {
    let h = Harness::watching(&["alice"]).await;
    let site = Site::open(&h).await;
    for path in VIEWS.into_iter().chain(["/login"]) {
        let page = site.get(path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.html.contains("reconnectd tokens generate"), "{path}");
    }
    assert_eq!(site.log_in("").await.status, 403);
}

#[tokio::test]
async fn a_session_begins_with_a_token_and_ends_after_twelve_hours() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::open(&h).await;
    let closed = site.get("/failed?kind=events").await;
    assert_eq!(
        (closed.status, closed.location.as_deref()),
        (303, Some("/login?to=%2Ffailed%3Fkind%3Devents"))
    );
    assert_eq!(site.log_in("nonsense").await.status, 401);
    let login = site.post("/login", &[("token", "reader"), ("to", "/failed?kind=events")]).await;
    assert_eq!((login.status, login.location.as_deref()), (303, Some("/failed?kind=events")));
    let cookie = login.set_cookie().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "{cookie}");
    for path in VIEWS {
        let page = site.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.html);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
        assert!(!page.html.contains("<script") && !page.html.contains("style=\""), "{path}");
    }
    h.clock.advance(HOUR * 12);
    assert_eq!(site.get("/").await.status, 303);
    assert_eq!(site.log_in("reader").await.status, 303);
    let token = site.get("/").await.field("form_token").unwrap();
    let out = site.post("/logout", &[("form_token", &token)]).await;
    assert_eq!((out.status, out.location.as_deref()), (303, Some("/login")));
    assert_eq!(site.get("/").await.status, 303);
    assert!(!h.log.text().contains("nonsense"));
    let logins = h.app.store.audit(None, h.clock.now() - TimeDelta::days(1), None, 10).await.unwrap();
    assert_eq!(logins.iter().filter(|row| row.action == "login").count(), 2);
}

#[tokio::test]
async fn many_unknown_tokens_are_too_many_and_the_right_one_still_passes() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::open(&h).await;
    for _ in 0..10 {
        assert_eq!(site.log_in("nonsense").await.status, 401);
    }
    let many = site.log_in("nonsense").await;
    assert_eq!(many.status, 429);
    assert!(many.headers.contains_key("retry-after"));
    assert_eq!(site.log_in("writer").await.status, 303);
}

#[tokio::test]
async fn a_token_that_is_no_longer_configured_ends_its_sessions() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::logged_in(&h, "writer").await;
    let cookie = site.log_in("writer").await.set_cookie().unwrap().split(';').next().unwrap().to_owned();
    let later = h.another_app(&[("ADMIN__TOKENS", "[]"), ("ADMIN__TOKEN", "another")]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let ending = CancellationToken::new();
    tokio::spawn(web::serve(
        listener,
        server::admin_router(&later),
        web::ServerLimits::default(),
        ending.clone(),
    ));
    let status =
        async |base: &str| site.browser.send(Method::GET, base, &[("cookie", &cookie)]).await.unwrap().status;
    assert_eq!((status(&site.base).await, status(&base).await), (200, 303));
    ending.cancel();
}

#[tokio::test]
async fn the_first_page_says_since_when_and_why_the_configuration_cannot_be_loaded_again() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::logged_in(&h, "reader").await;
    assert!(!site.get("/").await.html.contains("A reload has failed"));
    h.app.config_reloads.failed(h.clock.now(), vec!["links.ttl: <not a duration>".to_owned()]);
    h.clock.advance(TimeDelta::minutes(3));
    h.app.config_reloads.failed(h.clock.now(), vec!["links.ttl: <still not one>".to_owned()]);
    let page = site.get("/").await.html;
    for part in ["has had an error for 3 min", "A reload has failed", "links.ttl: &lt;still not one&gt;"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[tokio::test]
async fn a_token_that_may_read_changes_nothing() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::logged_in(&h, "reader").await;
    let page = site.get("/member?id=alice").await;
    let token = page.field("form_token").unwrap();
    assert!(!page.html.contains("change=pause"), "there is no button");
    assert_eq!(site.get("/member/change?change=pause&id=alice").await.status, 403);
    let fields = [("form_token", token.as_str()), ("id", "alice"), ("change", "pause")];
    assert_eq!(site.post("/member/change", &fields).await.status, 403);
    assert_eq!(audit(&h).await, [] as [&str; 0]);
    let zone = [("form_token", token.as_str()), ("zone", "America/New_York"), ("back", "/held")];
    let chosen = site.post("/zone", &zone).await;
    assert_eq!((chosen.status, chosen.location.as_deref()), (303, Some("/held")));
    assert!(site.get("/").await.html.contains("EST)"), "times in the chosen zone");
    let unknown = [("form_token", token.as_str()), ("zone", "Mars/Olympus")];
    assert_eq!(site.post("/zone", &unknown).await.status, 400);
}

#[tokio::test]
async fn a_form_without_the_session_s_token_or_of_another_site_changes_nothing() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::logged_in(&h, "writer").await;
    let token = site.get("/").await.field("form_token").unwrap();
    let order = [("id", "alice"), ("change", "remove")];
    for form_token in [None, Some(""), Some("AAAA")] {
        let fields: Vec<_> = form_token.iter().map(|value| ("form_token", *value)).chain(order).collect();
        assert_eq!(site.post("/member/change", &fields).await.status, 403, "{form_token:?}");
    }
    let cookie = site.log_in("writer").await.set_cookie().unwrap().split(';').next().unwrap().to_owned();
    let body = format!("form_token={token}&id=alice&change=remove");
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let response = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = response
            .post(format!("{}/member/change", site.base))
            .header("cookie", &cookie)
            .header(name, value)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), 403, "{name}");
    }
    let foreign = [("host", "evil.example"), ("cookie", cookie.as_str())];
    assert_eq!(site.browser.send(Method::GET, &site.base, &foreign).await.unwrap().status, 421);
    assert_eq!(audit(&h).await, [] as [&str; 0]);
    assert!(h.app.store.credentials(&"alice".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_link_from_another_site_opens_its_view_without_another_login() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let site = Site::open(&h).await;
    let arrival = [("sec-fetch-site", "cross-site")];
    let page = site.browser.send(Method::GET, &format!("{}/held", site.base), &arrival).await.unwrap();
    assert_eq!(page.status, 200);
    assert!(page.html.contains("http-equiv=\"refresh\" content=\"0;url=&#x2f;held\""), "{}", page.html);
}

#[tokio::test]
async fn while_everything_works_the_views_say_so() {
    let h = Setup::start(setup().members(30)).await;
    let site = Site::logged_in(&h, "writer").await;
    assert!(answer(&site.get("/").await).starts_with("Not yet."));
    let members: Vec<String> = (1..=30).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    h.pass().await;
    assert_eq!(answer(&site.get("/").await), "Yes. The last sweep covered 30 of 30 members just now.");
    for path in ["/broken", "/held", "/failed", "/unreachable"] {
        let answer = answer(&site.get(path).await);
        assert!(answer.starts_with("No"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn the_views_answer_their_questions() {
    let h = Setup::start(setup().members(30)).await;
    let members: Vec<String> = (1..=30).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    h.pass().await;
    let site = Site::logged_in(&h, "writer").await;
    for member in &members[..6] {
        h.set(member, "epic", "EXPIRED");
    }
    h.set("m7", "kaiser", "DISCONNECTED");
    h.pass_after(HOUR).await;
    let broken = site.get("/broken").await;
    assert_eq!(
        answer(&broken),
        "7 connections. They need their members, at 2 sources; the most, 6, at Epic MyChart. Since midnight UTC, 7 broke."
    );
    assert!(site.get("/broken?source=kaiser").await.html.contains("Lapses opened and recovered at Kaiser"));
    assert!(answer(&site.get("/reached").await).starts_with("Yes. We told the members about 7 of 7 lapses"));
    assert!(answer(&site.get("/sources").await).starts_with("None stands out."), "one lapse proves nothing");
    let member = site.get("/member?id=m1").await;
    assert_eq!(answer(&member), "In need. m1 has 1 connection and 1 open lapse.");
    assert!(member.html.contains("Epic MyChart has stopped: the member&#x27;s sign-in there has expired"));
    assert!(member.html.contains("<span class=\"tag w\">the member&#x27;s</span>"));
    assert!(!member.html.contains("example.org"), "no address");
    assert_eq!(answer(&site.get("/member?id=m").await), "Unknown. Nobody has the id m.");
    assert!(site.get("/member?id=m").await.html.contains("href=\"/member?id=m1\""));
}

#[tokio::test]
async fn a_release_says_what_it_sends_and_is_told_by_name() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    let hold = NewHold { scope: HoldScope::default(), until: None, reason: "an <outage>".into() };
    let hold = h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().unwrap();
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass_after(HOUR).await;
    let site = Site::logged_in(&h, "writer").await;
    let held = site.get("/held").await;
    assert_eq!(answer(&held), "2 emails. An operator holds everything (2 emails).");
    assert!(held.html.contains("an &lt;outage&gt;"));
    let ask = format!("/held/release?hold={}", hold.id);
    assert!(site.get(&ask).await.html.contains(">Release 2 emails</button>"));
    assert_eq!(h.app.store.active_holds().await.unwrap().len(), 1, "asking releases nothing");
    let done = site.confirm(&ask).await;
    assert_eq!(result(&done).as_deref(), Some("Released the hold; 2 emails are queued again."));
    assert_eq!(audit(&h).await, [format!("token:writer hold_release {} 2", hold.id)]);
    assert!(done.html.contains("token:writer"), "the row is visible");
    assert_eq!(result(&site.get("/held").await), None, "it is told once");
    assert_eq!(site.get(&ask).await.status, 404);
    h.pass_after(HOUR).await;
    assert_eq!(h.recipients().len(), 2);
}

#[tokio::test]
async fn a_retry_concerns_all_that_match_the_filter() {
    let h = Harness::watching_with(setup(), &["alice", "bob", "carol"]).await;
    for address in ["alice@example.org", "bob@example.org"] {
        h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown").to(address));
    }
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.set("carol", "labcorp", "DISCONNECTED");
    h.pass_after(HOUR).await;
    h.pass_after(TimeDelta::minutes(1)).await;
    let abandoned = h.app.store.count_abandoned(&AbandonedFilter::default()).await.unwrap();
    assert_eq!(abandoned, 2);
    let site = Site::logged_in(&h, "writer").await;
    let failed = site.get("/failed").await;
    assert_eq!(answer(&failed), "2. 2 abandoned emails. All of them can be retried.");
    assert!(failed.html.contains(">Retry 2 that match</a>"));
    assert!(
        failed.html.contains("<span class=\"tag w\">the member&#x27;s</span>"),
        "the address was refused"
    );
    let none = site.get("/failed/retry?kind=notices&reason=render_failed").await;
    assert!(none.html.contains("Nothing matches"));
    let unreachable = site.get("/unreachable").await;
    assert!(answer(&unreachable).starts_with("2 open lapses."), "{}", answer(&unreachable));
    let csv = site.get("/unreachable.csv").await;
    assert_eq!(csv.html.lines().count(), 3);
    assert!(csv.html.lines().nth(1).unwrap().starts_with("\"alice\",\"epic\",\"Epic MyChart\",\"EXPIRED\","));
    assert!(!csv.html.contains('@'));
    let page = site.get("/unreachable?reason=cadence_ended").await;
    assert!(page.html.contains("0 match."));
    h.end_faults();
    let done = site.confirm("/failed/retry?kind=notices&reason=permanent_failure&source=epic").await;
    assert_eq!(
        result(&done).as_deref(),
        Some("Retried 2 abandoned emails with permanent_failure about epic.")
    );
    h.pass_after(HOUR).await;
    let mut recipients = h.recipients();
    recipients.sort();
    assert_eq!(recipients, ["alice@example.org", "bob@example.org"]);
    let reads = h.app.store.audit(None, h.clock.now() - HOUR * 3, None, 50).await.unwrap();
    let read: Vec<_> =
        reads.iter().filter(|row| row.action == "read").filter_map(|row| row.target.as_deref()).collect();
    assert!(read.contains(&"dashboard: failed") && read.contains(&"dashboard: unreachable.csv"), "{read:?}");
    assert_eq!(audit(&h).await, ["token:writer notice_retry permanent_failure 2"]);
}

#[tokio::test]
async fn failed_credentials_are_tried_again_by_the_next_sweep() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    h.sim.world().revoke("alice").unwrap();
    h.pass_after(HOUR * 2).await;
    let site = Site::logged_in(&h, "writer").await;
    let failed = site.get("/failed?kind=credentials").await;
    assert_eq!(answer(&failed), "1. 1 failed credential. All of them can be retried.");
    assert!(failed.html.contains("<span class=\"tag b\">ours</span>"));
    let waits = h.app.store.credentials(&"alice".into()).await.unwrap().unwrap().failure.unwrap();
    assert!(waits.retry_at > h.clock.now());
    let done = site.confirm("/failed/retry?kind=credentials&reason=rejected").await;
    assert_eq!(result(&done).as_deref(), Some("Retried 1 failed credential with rejected."));
    let tried = h.app.store.credentials(&"alice".into()).await.unwrap().unwrap().failure.unwrap();
    assert_eq!(tried.retry_at, h.clock.now());
    assert_eq!(audit(&h).await, ["token:writer member_retry rejected 1"]);
}

#[tokio::test]
async fn a_member_is_paused_resumed_and_removed_after_a_question() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    let site = Site::logged_in(&h, "writer").await;
    for (change, sentence, answers) in [
        ("pause", "Paused alice.", "Paused. alice has 3 connections and is neither polled nor emailed."),
        ("resume", "Resumed alice.", "All is well. alice has 3 connections; none needs alice."),
        ("remove", "Removed alice.", "Removed. alice is no longer enrolled; the history is below."),
    ] {
        h.clock.advance(TimeDelta::seconds(1));
        let done = site.confirm(&format!("/member/change?change={change}&id=alice")).await;
        assert_eq!(result(&done).as_deref(), Some(sentence));
        assert_eq!(answer(&done), answers);
    }
    assert_eq!(
        audit(&h).await,
        [
            "token:writer member_remove alice 0",
            "token:writer member_resume alice 0",
            "token:writer member_pause alice 0"
        ]
    );
    assert_eq!(site.get("/member/change?change=pause&id=alice").await.status, 404);
    assert_eq!(site.get("/member/change?change=dance&id=bob").await.status, 400);
    let reads = h.app.store.audit(Some(&"alice".into()), h.clock.now() - HOUR, None, 50).await.unwrap();
    assert_eq!(reads.iter().filter(|row| row.action == "read").count(), 3, "each look at the member is told");
}

#[tokio::test]
async fn what_goes_out_within_a_day_is_shown_by_source() {
    let setup = setup().set("NOTICES__EXPIRED__FIRST_AFTER", "6h").set("NOTICES__EXPIRED__REMINDERS", "20h");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(HOUR).await;
    let until = h.clock.now() + HOUR * 24;
    let upcoming = h.app.store.upcoming(h.clock.now(), until).await.unwrap();
    let queued: Vec<_> =
        upcoming.queued.iter().map(|of| (of.source.as_ref().map(|id| id.as_str()), of.count)).collect();
    assert_eq!((queued, upcoming.emails), (vec![(Some("epic"), 1)], 1));
    assert_eq!(upcoming.queued[0].hour.to_rfc3339(), "2026-03-02T16:00:00+00:00");
    h.pass_after(HOUR * 7).await;
    h.pass_after(TimeDelta::minutes(1)).await;
    let upcoming = h.app.store.upcoming(h.clock.now(), h.clock.now() + HOUR * 24).await.unwrap();
    assert_eq!((upcoming.emails, upcoming.reminders.len()), (0, 1), "the reminder");
    let site = Site::logged_in(&h, "reader").await;
    assert!(site.get("/held").await.html.contains("Epic MyChart: 1</li>"));
}

#[tokio::test]
async fn a_suppressed_member_is_among_the_unreachable_until_the_suppression_ends() {
    let h = Harness::watching_with(setup(), &["alice"]).await;
    let address: EmailAddress = "alice@example.org".parse().unwrap();
    h.app.store.suppress(address.address_hash(), Suppression::Operator, h.clock.now()).await.unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(HOUR).await;
    let site = Site::logged_in(&h, "reader").await;
    assert_eq!(
        answer(&site.get("/unreachable").await),
        "1 open lapse. No email to their members will come: 1 because the address must not receive email."
    );
    let alice: MemberId = "alice".into();
    let member = site.get(&format!("/member?id={alice}")).await;
    assert_eq!(
        answer(&member),
        "Out of reach. 1 lapse of alice is open, and no email will come: suppressed."
    );
}

#[tokio::test]
async fn an_unfinished_rotation_and_a_locked_member_are_marked() {
    let h = Harness::watching_with(setup(), &["alice", "bob"]).await;
    let site = Site::logged_in(&h, "reader").await;
    let mark = "under an older key";
    assert!(!site.get("/").await.html.contains(mark));
    h.rows().await.set_where("credentials", ("member_id", "bob"), "key_id", "lost").await.unwrap();
    let page = site.get("/").await;
    assert!(page.status == 200 && page.html.contains(&format!("1 credential is {mark}")), "{}", page.html);
    for path in ["/member?id=bob", "/member?id=alice"] {
        assert_eq!(site.get(path).await.status, 200, "{path}");
    }
    assert!(page.html.contains("locked"));
}
