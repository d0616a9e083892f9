//! Every page, reached as a member does: email, link, page. Only the response to a redemption contains the source's URL.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::sim::{FaultKind, Operation, PageResponse};
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Asserts the status, the states of the page and its buttons, and the forms; and that the page contains no URL of the
/// source.
#[track_caller]
fn shows(answer: &PageResponse, status: u16, states: &[&str], forms: &[&str]) {
    assert_eq!((answer.status, answer.states()), (status, states.to_vec()), "{}", answer.html);
    assert_eq!(answer.forms(), forms);
    reveals_no_url(answer);
}

#[track_caller]
fn reveals_no_url(answer: &PageResponse) {
    assert_eq!((answer.location.as_deref(), answer.set_cookie()), (None, None));
    let html = &answer.html;
    assert!(!html.contains("oauth") && !html.contains("?state=") && !html.contains("&amp;state="), "{html}");
}

#[tokio::test]
async fn one_broken_connection_then_used_then_recovered() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let (mine, other) = (h.browser(), h.browser());
    shows(&mine.arrive(&link).await, 200, &["ready", "available"], &["redeem epic", "snooze epic"]);
    let pressed = mine.press(&link, &[("connection", "epic")]).await;
    assert_eq!((pressed.status, pressed.html.as_str()), (303, ""), "the URL is only in the header");
    let url = pressed.location.as_deref().unwrap();
    assert!(url.starts_with(h.sim.base_url()), "{url}");
    shows(&other.arrive(&link).await, 410, &["used", "resume_elsewhere"], &["redeem epic", "resend"]);
    shows(&other.press(&link, &[]).await, 410, &["used"], &["resend"]);
    h.sim.world().sign_in(url, true).unwrap();
    h.clock.advance(TimeDelta::minutes(10));
    let used = mine.arrive(&link).await;
    shows(&used, 410, &["used"], &["resend"]);
    h.pass_after(TimeDelta::seconds(30)).await;
    shows(&mine.arrive(&link).await, 200, &["recovered"], &[]);
    for action in ["", "/resend"] {
        shows(&mine.press_on(&used, &format!("{link}{action}"), &[]).await, 200, &["recovered"], &[]);
    }
}

#[tokio::test]
async fn several_broken_connections_each_with_its_button() {
    let broken = [("epic", "EXPIRED"), ("kaiser-north", "DISCONNECTED")];
    let (h, link) = Harness::mailed(Setup::default(), &broken).await;
    let browser = h.browser();
    let states = ["ready", "available", "available"];
    let forms = ["redeem epic", "snooze epic", "redeem kaiser-north", "dismiss kaiser-north"];
    shows(&browser.arrive(&link).await, 200, &states, &forms);
    shows(&browser.press(&link, &[]).await, 200, &states, &forms);
    shows(&browser.press(&link, &[("connection", "labcorp")]).await, 200, &states, &forms);
    for connection in ["epic", "kaiser-north"] {
        assert_eq!(browser.press(&link, &[("connection", connection)]).await.status, 303, "{connection}");
    }
    h.clock.advance(TimeDelta::minutes(10));
    shows(&browser.arrive(&link).await, 410, &["used"], &["resend"]);
}

#[tokio::test]
async fn too_old() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__TTL", "1h"), &[("epic", "EXPIRED")]).await;
    h.clock.advance(TimeDelta::hours(1));
    let browser = h.browser();
    shows(&browser.arrive(&link).await, 410, &["expired"], &["resend"]);
    shows(&browser.press(&link, &[]).await, 410, &["expired"], &["resend"]);
}

#[tokio::test]
async fn recovered_without_the_link() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let browser = h.browser();
    shows(&browser.arrive(&link).await, 200, &["recovered"], &[]);
    shows(&browser.press(&link, &[]).await, 200, &["recovered"], &[]);
}

#[tokio::test]
async fn disconnected_on_purpose() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let browser = h.browser();
    let forms = ["redeem epic", "dismiss epic"];
    shows(&browser.arrive(&link).await, 200, &["ready", "available"], &forms);
    let dismissed = browser.press(&format!("{link}/dismiss"), &[("connection", "epic")]).await;
    let states = ["dismissed", "dismissed"];
    let forms = ["redeem epic", "undo epic"];
    shows(&dismissed, 200, &states, &forms);
    shows(&browser.arrive(&link).await, 200, &states, &forms);
    h.set("alice", "epic", "ACCESS_ENDED");
    h.pass_after(TimeDelta::minutes(15)).await;
    shows(&browser.arrive(&link).await, 200, &["dismissed", "closed_dismissed"], &[]);
    shows(&browser.press(&link, &[]).await, 200, &["dismissed", "closed_dismissed"], &[]);
}

#[tokio::test]
async fn reconnected_after_all() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let (mine, other) = (h.browser(), h.browser());
    other.press(&format!("{link}/dismiss"), &[("connection", "epic")]).await;
    let pressed = mine.press(&link, &[("connection", "epic")]).await;
    assert_eq!(pressed.status, 303, "{}", pressed.html);
    shows(&other.arrive(&link).await, 410, &["used", "resume_elsewhere"], &["redeem epic", "resend"]);
    shows(&other.press(&link, &[]).await, 410, &["used"], &["resend"]);
    assert_eq!(mine.press(&link, &[("connection", "epic")]).await.status, 303, "with its cookie");
    h.sim.world().sign_in(pressed.location.as_deref().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    shows(&mine.arrive(&link).await, 200, &["recovered"], &[]);
}

#[tokio::test]
async fn each_of_several_buttons_shows_its_state() {
    let broken = [
        ("epic", "EXPIRED"),
        ("kaiser-north", "DISCONNECTED"),
        ("cerner", "EXPIRED"),
        ("labcorp", "EXPIRED"),
    ];
    let (h, link) = Harness::mailed(Setup::default(), &broken).await;
    let browser = h.browser();
    browser.press(&format!("{link}/dismiss"), &[("connection", "kaiser-north")]).await;
    h.set("alice", "cerner", "CONNECTED");
    h.set("alice", "labcorp", "DELETED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let page = browser.arrive(&link).await;
    let states = ["ready", "closed_recovered", "available", "dismissed", "closed_removed"];
    let forms = ["redeem epic", "snooze epic", "redeem kaiser-north", "undo kaiser-north"];
    shows(&page, 200, &states, &forms);
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let page = browser.arrive(&link).await;
    shows(&page, 200, &["dismissed", "dismissed"], &["redeem kaiser-north", "undo kaiser-north"]);
}

#[tokio::test]
async fn a_page_restored_by_the_browser_is_current() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let before = h.contents().await;
    let prefix = link.split("/r/").next().unwrap().to_owned();
    let stop = crate::harness::unsubscribe_link_in(&h.mails()[0]);
    for (form, page) in
        [("resend", &link), ("dismiss", &link), ("snooze", &link), ("undo", &link), ("resubscribe", &stop)]
    {
        let answer = h.browser().send(Method::GET, &format!("{page}/{form}"), &[]).await;
        assert_eq!((answer.status, answer.location.as_deref()), (303, page.strip_prefix(&prefix)), "{form}");
    }
    assert_eq!(h.contents().await, before);
}

#[tokio::test]
async fn never_there() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let browser = h.browser();
    let states = ["link_not_found"];
    let unknown = format!("{}{}", &link[..link.len() - 43], "A".repeat(43));
    shows(&browser.arrive(&unknown).await, 404, &states, &[]);
    shows(&browser.press(&unknown, &[]).await, 404, &states, &[]);
    shows(&browser.press(&format!("{unknown}/resend"), &[]).await, 404, &states, &[]);
    shows(&browser.send(Method::PUT, &link, &[]).await, 405, &states, &[]);
}

#[tokio::test]
async fn the_gateway_is_down() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let browser = h.browser();
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 503, retry_after: None });
    let down = browser.press(&link, &[]).await;
    shows(&down, 503, &["gateway_down"], &[]);
    assert_eq!(down.headers["retry-after"], "300");
    h.end_faults();
    shows(&browser.arrive(&link).await, 200, &["ready", "available"], &["redeem epic", "snooze epic"]);
    assert_eq!(browser.press(&link, &[]).await.status, 303);
}

#[tokio::test]
async fn a_page_for_a_connection_that_only_an_app_can_repair() {
    let setup = Setup::default().set("NOTICES__APP_URL", "https://app.example.net/connections");
    let (h, link) = Harness::mailed(setup, &[("basicins", "EXPIRED")]).await;
    let browser = h.browser();
    let page = browser.arrive(&link).await;
    shows(&page, 200, &["ready", "available"], &["snooze basicins"]);
    let href = "href=\"https://app.example.net/connections\"";
    assert!(page.html.replace("&#x2f;", "/").contains(href), "{}", page.html);
    shows(&browser.press(&link, &[]).await, 200, &["needs_app"], &[]);
}

#[tokio::test]
async fn a_page_for_a_direct_connection() {
    let (h, link) = Harness::mailed(Setup::default(), &[("labcorp", "EXPIRED")]).await;
    let browser = h.browser();
    shows(&browser.arrive(&link).await, 200, &["ready", "available"], &["redeem labcorp", "snooze labcorp"]);
    shows(&browser.press(&link, &[]).await, 200, &["signed_in"], &[]);
    shows(&browser.press(&link, &[]).await, 410, &["used"], &["resend"]);
    h.pass_after(TimeDelta::seconds(30)).await;
    shows(&browser.arrive(&link).await, 200, &["recovered"], &[]);
}

#[tokio::test]
async fn a_page_is_in_its_member_s_language() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.rows().await.set("members", "locale", "es-MX").await.unwrap();
    let browser = h.browser();
    let spanish = |answer: &PageResponse, status: u16, state: &str| {
        assert_eq!((answer.status, answer.states()[0]), (status, state), "{}", answer.html);
        assert!(answer.html.contains("lang=\"es\""), "{}", answer.html);
    };
    spanish(&browser.arrive(&link).await, 200, "ready");
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    spanish(&browser.arrive(&link).await, 410, "used");
    spanish(&h.browser().press(&link, &[]).await, 410, "used");
    spanish(&browser.press(&format!("{link}/resend"), &[]).await, 200, "email_on_its_way");
    h.fault(Operation::GetOauthUrl, FaultKind::NullData);
    spanish(&browser.press(&link, &[]).await, 503, "gateway_down");
    h.end_faults();
}

#[tokio::test]
async fn the_page_after_a_sign_in_accepts_only_success_and_proves_and_reveals_nothing() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let before = h.contents().await;
    let browser = h.browser();
    let done = link.split("/r/").next().unwrap().to_owned() + "/oauth/return";
    let (thanks, unfinished) = ("signed_in", "sign_in_failed");
    for (query, state) in [
        ("?status_code=success", thanks),
        ("?status_code=success&connection=epic&member=alice&state=x", thanks),
        ("?status_code=failure", unfinished),
        ("?status_code=Success", unfinished),
        ("?status_code=success%20", unfinished),
        ("?status_code=", unfinished),
        ("?status_code", unfinished),
        ("?status_code=<script>alert(1)</script>", unfinished),
        ("?status_code=success&status_code=success", unfinished),
        ("?status_code=%ff%00&&&=;", unfinished),
        ("?", unfinished),
        ("", unfinished),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let page = browser.send(method.clone(), &format!("{done}{query}"), &[]).await;
            assert_eq!(page.status, 200, "{query}");
            reveals_no_url(&page);
            if method == Method::GET {
                assert!(
                    page.states() == [state] && page.html.contains("lang=\"en\""),
                    "{query}: {}",
                    page.html
                );
                for told in ["Epic", "alice", "alert", "<form", "<button", "/r/"] {
                    assert!(!page.html.contains(told), "{told}: {}", page.html);
                }
            }
        }
    }
    let posted = browser.press(&format!("{done}?status_code=success"), &[]).await;
    shows(&posted, 405, &["link_not_found"], &[]);
    assert_eq!(h.contents().await, before, "only the gateway's response proves recovery");

    let setup = Setup::default().set("NOTICES__LOCALE", "es");
    let (_h, link) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    let done = link.split("/r/").next().unwrap().to_owned() + "/oauth/return?status_code=success";
    assert!(browser.arrive(&done).await.html.contains("lang=\"es\""), "the operator's language");
}

#[tokio::test]
async fn an_http_1_1_request_needs_exactly_one_host() {
    let (_h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let url: reqwest::Url = link.parse().unwrap();
    let authority = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    for (hosts, status) in [("", "400"), ("Host: x\r\n", "200"), ("Host: x\r\nHost: y\r\n", "400")] {
        let mut stream = TcpStream::connect(&authority).await.unwrap();
        let request = format!("GET {} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n", url.path());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert_eq!(response.split(' ').nth(1), Some(status), "{hosts:?}");
    }
}
