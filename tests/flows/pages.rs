//! Every page that a member can come to, reached as a member would: mail, link, page. The way to the source is in the
//! answer to a redemption and in no other.

use crate::{
    browser::{Answer, Browser},
    harness::{Harness, Setup},
};
use chrono::TimeDelta;
use reconnectd::sim::{FaultKind, Operation};
use reqwest::Method;

/// That an answer says this, and leads nowhere.
#[track_caller]
fn says(answer: &Answer, status: u16, words: &str, buttons: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.html);
    assert!(answer.html.contains(words), "{words} is not in {}", answer.html);
    assert_eq!(answer.buttons(), buttons);
    leads_nowhere(answer);
}

#[track_caller]
fn leads_nowhere(answer: &Answer) {
    assert_eq!((answer.location(), answer.set_cookie()), (None, None));
    assert!(!answer.html.contains("oauth") && !answer.html.contains("state="), "{}", answer.html);
}

const READY: &str = "Let’s get you reconnected";
const USED: &str = "This link was already used";
const RESEND: &str = "Mail me a new link";

#[tokio::test]
async fn one_broken_connection_then_used_then_recovered() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let (mine, other) = (Browser::new(), Browser::new());
    says(&mine.arrive(&link).await, 200, READY, &["Reconnect Epic MyChart"]);
    let pressed = mine.press(&link, &[("connection", "epic")]).await;
    assert_eq!((pressed.status, pressed.html.as_str()), (303, ""), "the way is in the header alone");
    let way = pressed.location().unwrap();
    assert!(way.starts_with(h.sim.base_url()), "{way}");
    says(&other.arrive(&link).await, 410, USED, &["Go on", RESEND]);
    says(&other.press(&link, &[]).await, 410, USED, &[RESEND]);
    h.sim.world().sign_in(way, true).unwrap();
    h.clock.advance(TimeDelta::minutes(10));
    says(&mine.arrive(&link).await, 410, USED, &[RESEND]);
    h.pass_after(TimeDelta::seconds(30)).await;
    says(&mine.arrive(&link).await, 200, "All done, you are connected", &[]);
    says(&mine.press(&link, &[]).await, 410, USED, &[RESEND]);
    let resend = mine.press(&format!("{link}/resend"), &[]).await;
    says(&resend, 200, "Please look at your mail", &[]);
}

#[tokio::test]
async fn several_broken_connections_each_with_its_button() {
    let broken = [("epic", "EXPIRED"), ("kaiser-north", "DISCONNECTED")];
    let (h, link) = Harness::mailed(Setup::default(), &broken).await;
    let browser = Browser::new();
    let purpose = "I disconnected this on purpose";
    let buttons = ["Reconnect Epic MyChart", "Reconnect Kaiser North", purpose];
    says(&browser.arrive(&link).await, 200, "Take them one at a time", &buttons);
    says(&browser.press(&link, &[]).await, 200, READY, &buttons);
    says(&browser.press(&link, &[("connection", "labcorp")]).await, 200, READY, &buttons);
    for connection in ["epic", "kaiser-north"] {
        assert_eq!(browser.press(&link, &[("connection", connection)]).await.status, 303, "{connection}");
    }
    h.clock.advance(TimeDelta::minutes(10));
    says(&browser.arrive(&link).await, 410, USED, &[RESEND]);
}

#[tokio::test]
async fn too_old() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__TTL", "1h"), &[("epic", "EXPIRED")]).await;
    h.clock.advance(TimeDelta::hours(1));
    let browser = Browser::new();
    says(&browser.arrive(&link).await, 410, "This link has expired", &[RESEND]);
    says(&browser.press(&link, &[]).await, 410, "This link has expired", &[RESEND]);
}

#[tokio::test]
async fn recovered_without_the_link() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let browser = Browser::new();
    says(&browser.arrive(&link).await, 200, "All done, you are connected", &[]);
    says(&browser.press(&link, &[]).await, 200, "All done, you are connected", &[]);
}

#[tokio::test]
async fn disconnected_on_purpose() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let browser = Browser::new();
    let buttons = ["Reconnect Epic MyChart", "I disconnected this on purpose"];
    says(&browser.arrive(&link).await, 200, READY, &buttons);
    let dismissed = browser.press(&format!("{link}/dismiss"), &[("connection", "epic")]).await;
    let after_all = ["Reconnect Epic MyChart"];
    says(&dismissed, 200, "Thank you for telling us", &after_all);
    says(&browser.arrive(&link).await, 200, "have you changed your mind?", &after_all);
    h.set("alice", "epic", "ACCESS_ENDED");
    h.pass_after(TimeDelta::minutes(15)).await;
    says(&browser.arrive(&link).await, 200, "Thank you for telling us", &[]);
    says(&browser.press(&link, &[]).await, 200, "Thank you for telling us", &[]);
}

#[tokio::test]
async fn reconnected_after_all() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let (mine, other) = (Browser::new(), Browser::new());
    other.press(&format!("{link}/dismiss"), &[("connection", "epic")]).await;
    let pressed = mine.press(&link, &[("connection", "epic")]).await;
    assert_eq!(pressed.status, 303, "{}", pressed.html);
    says(&other.arrive(&link).await, 410, USED, &["Go on", RESEND]);
    says(&other.press(&link, &[]).await, 410, USED, &[RESEND]);
    assert_eq!(mine.press(&link, &[("connection", "epic")]).await.status, 303, "with its pass");
    h.sim.world().sign_in(pressed.location().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::seconds(30)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    says(&mine.arrive(&link).await, 200, "All done, you are connected", &[]);
}

#[tokio::test]
async fn of_several_each_says_how_it_stands() {
    let broken = [
        ("epic", "EXPIRED"),
        ("kaiser-north", "DISCONNECTED"),
        ("cerner", "EXPIRED"),
        ("labcorp", "EXPIRED"),
    ];
    let (h, link) = Harness::mailed(Setup::default(), &broken).await;
    let browser = Browser::new();
    browser.press(&format!("{link}/dismiss"), &[("connection", "kaiser-north")]).await;
    h.set("alice", "cerner", "CONNECTED");
    h.set("alice", "labcorp", "DELETED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let page = browser.arrive(&link).await;
    says(&page, 200, READY, &["Reconnect Epic MyChart", "Reconnect Kaiser North"]);
    let of =
        |name: &str| page.html.split(&format!("<bdi>{name}</bdi>")).nth(1).unwrap().split("</li>").next();
    for (name, words) in [
        ("Cerner", "This one works again."),
        ("Kaiser North", "You told us that you disconnected this one on purpose."),
        ("Labcorp", "This one was removed."),
    ] {
        assert!(of(name).unwrap().contains(words), "{name}: {}", page.html);
    }
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::minutes(15)).await;
    let page = browser.arrive(&link).await;
    says(&page, 200, "Thank you for telling us", &["Reconnect Kaiser North"]);
    assert!(!page.html.contains("Epic"), "what works is not spoken of: {}", page.html);
}

#[tokio::test]
async fn asked_for_again_by_a_browser_that_was_restored() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    let before = h.contents().await;
    let prefix = link.split("/r/").next().unwrap().to_owned();
    let stop = h.mails()[0].links().into_iter().find(|link| link.contains("/u/")).unwrap();
    for (form, page) in [("resend", &link), ("dismiss", &link), ("resume", &stop)] {
        let answer = Browser::new().send(Method::GET, &format!("{page}/{form}"), &[]).await;
        assert_eq!((answer.status, answer.location()), (303, page.strip_prefix(&prefix)), "{form}");
    }
    assert_eq!(h.contents().await, before);
}

#[tokio::test]
async fn never_there() {
    let (_h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let browser = Browser::new();
    let words = "We don’t know this link";
    let unknown = format!("{}{}", &link[..link.len() - 43], "A".repeat(43));
    says(&browser.arrive(&unknown).await, 404, words, &[]);
    says(&browser.press(&unknown, &[]).await, 404, words, &[]);
    let there = browser.press(&format!("{link}/resend"), &[]).await;
    let nowhere = browser.press(&format!("{unknown}/resend"), &[]).await;
    let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    assert_eq!(there.html.replace(&token(&link), ""), nowhere.html.replace(&token(&unknown), ""));
    says(&browser.send(Method::PUT, &link, &[]).await, 405, words, &[]);
}

#[tokio::test]
async fn the_gateway_is_down() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let browser = Browser::new();
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 503, retry_after: None });
    let down = browser.press(&link, &[]).await;
    says(&down, 503, "That did not work just now", &[]);
    assert_eq!(down.headers["retry-after"], "300");
    h.end_faults();
    says(&browser.arrive(&link).await, 200, READY, &["Reconnect Epic MyChart"]);
    assert_eq!(browser.press(&link, &[]).await.status, 303);
}

#[tokio::test]
async fn what_only_an_app_can_repair() {
    let setup = Setup::default().set("NOTICES__APP_URL", "https://app.example.net/connections");
    let (_h, link) = Harness::mailed(setup, &[("basicins", "EXPIRED")]).await;
    let browser = Browser::new();
    let page = browser.arrive(&link).await;
    says(&page, 200, "Please sign in to this one again in the app.", &[]);
    let href = "href=\"https://app.example.net/connections\"";
    assert!(page.html.replace("&#x2f;", "/").contains(href), "{}", page.html);
    let pressed = browser.press(&link, &[]).await;
    says(&pressed, 200, "Please continue in the app", &[]);
    assert!(pressed.html.replace("&#x2f;", "/").contains(href), "{}", pressed.html);
}

#[tokio::test]
async fn what_the_gateway_reconnects_by_itself() {
    let (h, link) = Harness::mailed(Setup::default(), &[("labcorp", "EXPIRED")]).await;
    let browser = Browser::new();
    says(&browser.arrive(&link).await, 200, READY, &["Reconnect Labcorp"]);
    says(&browser.press(&link, &[]).await, 200, "Thank you, that’s all", &[]);
    says(&browser.press(&link, &[]).await, 410, USED, &[RESEND]);
    h.pass_after(TimeDelta::seconds(30)).await;
    says(&browser.arrive(&link).await, 200, "All done, you are connected", &[]);
}

#[tokio::test]
async fn a_page_is_in_its_member_s_language() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    sqlx::query("UPDATE members SET locale = 'es-MX'").execute(&mut h.sql().await).await.unwrap();
    let browser = Browser::new();
    says(&browser.arrive(&link).await, 200, "Vamos a reconectarte", &["Volver a conectar Epic MyChart"]);
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    let used = "Este enlace ya se usó";
    let resend = "Enviarme un enlace nuevo";
    says(&browser.arrive(&link).await, 410, used, &["Continuar", resend]);
    says(&Browser::new().press(&link, &[]).await, 410, used, &[resend]);
    says(&browser.press(&format!("{link}/resend"), &[]).await, 200, "Revisa tu correo", &[]);
    h.fault(Operation::GetOauthUrl, FaultKind::NullData);
    says(&browser.press(&link, &[]).await, 503, "No ha funcionado esta vez", &[]);
    h.end_faults();
}

#[tokio::test]
async fn the_landing_place_believes_only_success_and_proves_and_reveals_nothing() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let before = h.contents().await;
    let browser = Browser::new();
    let done = link.split("/r/").next().unwrap().to_owned() + "/done";
    let (thanks, unfinished) = ("Thank you, that’s all", "The sign-in was not finished");
    for (query, words) in [
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
            leads_nowhere(&page);
            if method == Method::GET {
                assert!(
                    page.html.contains(words) && page.html.contains("lang=\"en\""),
                    "{query}: {}",
                    page.html
                );
                for told in ["Epic", "alice", "alert", "<form", "<button", "/r/"] {
                    assert!(!page.html.contains(told), "{told}: {}", page.html);
                }
            }
        }
    }
    says(
        &browser.press(&format!("{done}?status_code=success"), &[]).await,
        405,
        "We don’t know this link",
        &[],
    );
    assert_eq!(h.contents().await, before, "only the gateway's answer proves recovery");

    let setup = Setup::default().set("NOTICES__LOCALE", "es");
    let (_h, link) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    let done = link.split("/r/").next().unwrap().to_owned() + "/done?status_code=success";
    assert!(browser.arrive(&done).await.html.contains("Gracias, eso es todo"), "the operator's language");
}
