//! Back from the source's sign-in without having finished: the browser that redeemed may go on for ten minutes.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::sim::{FaultKind, Operation};

/// What is broken.
const EPIC: &[(&str, &str)] = &[("epic", "EXPIRED")];

#[tokio::test]
async fn the_browser_that_redeemed_can_resume_and_no_other_can() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let (mine, other) = (h.browser(), h.browser());
    let first = mine.press(&link, &[]).await;
    assert_eq!(first.status, 303);
    h.clock.advance(TimeDelta::minutes(2));

    // Back from the source: without the cookie there is no telling whose browser this is.
    for browser in [&mine, &other] {
        let page = browser.arrive(&link).await;
        assert_eq!((page.status, page.location.as_deref()), (410, None));
        assert_eq!(page.states(), ["used", "resume_elsewhere"]);
    }
    let typed = mine.open(&link).await;
    assert_eq!((typed.status, typed.states()), (200, vec!["ready", "available"]));

    let fields = [("connection", "epic")];
    let refused = other.press(&link, &fields).await;
    assert_eq!((refused.status, refused.location.as_deref(), refused.set_cookie()), (410, None, None));
    assert_eq!(refused.states(), ["used"], "this browser cannot resume");

    let again = mine.press(&link, &fields).await;
    assert_eq!((again.status, again.set_cookie()), (303, None), "the time is not extended");
    assert_ne!(
        again.location.as_deref(),
        first.location.as_deref(),
        "each sign-in has an address of its own"
    );
    h.clock.advance(TimeDelta::seconds(29));
    assert!(!h.app.rechecker.recheck_one().await.unwrap());
    h.clock.advance(TimeDelta::seconds(1));
    assert!(
        h.app.rechecker.recheck_one().await.unwrap(),
        "the early polls are counted from the second press"
    );

    h.sim.world().sign_in(again.location.as_deref().unwrap(), true).unwrap();
    h.pass_after(TimeDelta::minutes(2)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    let over = mine.press_on(&typed, &link, &fields).await;
    assert_eq!((over.status, over.location.as_deref()), (200, None));
    assert_eq!(over.states(), ["recovered"]);
}

#[tokio::test]
async fn ten_minutes_after_the_redemption_the_link_is_used_for_that_browser_too() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let browser = h.browser();
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    h.clock.advance(TimeDelta::minutes(9) + TimeDelta::seconds(58));
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    h.clock.advance(TimeDelta::seconds(1));
    for page in [browser.open(&link).await, browser.arrive(&link).await, browser.press(&link, &[]).await] {
        assert_eq!((page.status, page.location.as_deref()), (410, None));
        assert_eq!(page.states(), ["used"]);
    }
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    assert_eq!(browser.press(&h.link(), &[("connection", "kaiser-north")]).await.status, 303);
}

#[tokio::test]
async fn a_link_that_has_died_of_age_is_dead_for_its_browser_too() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__TTL", "5m"), EPIC).await;
    let browser = h.browser();
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    h.clock.advance(TimeDelta::minutes(5));
    assert_eq!(browser.open(&link).await.states(), ["expired"]);
    let pressed = browser.press(&link, &[]).await;
    assert_eq!((pressed.status, pressed.location.as_deref()), (410, None));
}

#[tokio::test]
async fn a_link_that_dies_while_the_gateway_thinks_leads_nowhere() {
    let (h, link) = Harness::mailed(Setup::default(), EPIC).await;
    let browser = h.browser();
    assert_eq!(browser.press(&link, &[]).await.status, 303);
    h.fault(Operation::GetOauthUrl, FaultKind::Delay { ms: 2000 });
    let (pressed, ()) = tokio::join!(browser.press(&link, &[]), async {
        while h.asked("alice", Operation::GetOauthUrl) < 3 {
            tokio::task::yield_now().await;
        }
        h.set("alice", "epic", "CONNECTED");
        h.pass().await;
    });
    assert_eq!((pressed.status, pressed.location.as_deref()), (200, None));
    assert_eq!(pressed.states(), ["recovered"]);
}

#[tokio::test]
async fn resuming_consumes_nothing_and_survives_a_gateway_that_is_down() {
    let (h, link) = Harness::mailed(Setup::default().set("LINKS__MAX_REDEMPTIONS", 2), EPIC).await;
    let (mine, other) = (h.browser(), h.browser());
    assert_eq!(mine.press(&link, &[]).await.status, 303);
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 503, retry_after: None });
    let down = mine.press(&link, &[]).await;
    assert_eq!((down.status, down.location.as_deref()), (503, None));
    h.end_faults();
    for _ in 0..3 {
        assert_eq!(mine.press(&link, &[]).await.status, 303);
    }
    assert_eq!(other.press(&link, &[]).await.status, 303, "the second redemption was still to be had");
    assert_eq!(h.browser().press(&link, &[]).await.status, 410);
    for browser in [mine, other] {
        assert_eq!(browser.press(&link, &[]).await.status, 303);
    }
}

#[tokio::test]
async fn a_cookie_for_one_connection_resumes_no_other() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let (mine, other) = (h.browser(), h.browser());
    let (epic, kaiser) = ([("connection", "epic")], [("connection", "kaiser-north")]);
    assert_eq!(mine.press(&link, &epic).await.status, 303);
    let page = mine.arrive(&link).await;
    assert_eq!((page.status, page.states()), (200, vec!["ready", "resume_elsewhere", "available"]));
    assert_eq!(other.press(&link, &kaiser).await.status, 303);
    for (browser, spent) in [(&mine, &kaiser), (&other, &epic)] {
        let page = browser.press(&link, spent).await;
        assert_eq!(
            (page.status, page.location.as_deref()),
            (410, None),
            "it can resume its own: {}",
            page.html
        );
    }
    let page = mine.arrive(&link).await;
    assert_eq!(page.status, 410);
    assert_eq!(page.forms(), ["redeem epic", "redeem kaiser-north", "resend"]);
    assert_eq!(mine.press(&link, &epic).await.status, 303);

    // In one browser the passes of both stand side by side.
    let h2 = Harness::watching(&["alice"]).await;
    h2.set("alice", "epic", "EXPIRED");
    h2.set("alice", "kaiser-north", "EXPIRED");
    h2.pass().await;
    let both = h2.browser();
    for fields in [epic, kaiser, epic, kaiser] {
        assert_eq!(both.press(&h2.link(), &fields).await.status, 303);
    }
}

#[tokio::test]
async fn an_invitation_link_can_be_resumed_too() {
    let h = Harness::watching(&["alice"]).await;
    let link = h.invitation("alice", "somewhere").await;
    let (mine, other) = (h.browser(), h.browser());
    assert_eq!(mine.press(&link, &[]).await.status, 303);
    assert_eq!(other.press(&link, &[]).await.status, 410);
    assert_eq!(mine.arrive(&link).await.states(), ["used", "resume_elsewhere"]);
    assert_eq!(mine.press(&link, &[]).await.status, 303);
}

#[tokio::test]
async fn a_direct_reconnection_sets_no_cookie() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "labcorp", "EXPIRED");
    h.pass().await;
    let browser = h.browser();
    let pressed = browser.press(&h.link(), &[]).await;
    assert_eq!((pressed.status, pressed.set_cookie()), (200, None));
    assert_eq!(browser.press(&h.link(), &[]).await.status, 410);
    assert_eq!(browser.arrive(&h.link()).await.states(), ["used"]);
}

#[tokio::test]
async fn the_cookie_is_sent_to_the_link_s_own_path_only_and_is_neither_stored_nor_logged() {
    let setup = Setup::default()
        .set("LINKS__PUBLIC_URL", "https://reconnect.example.net/some/where")
        .set("GATEWAY__OAUTH_HOSTS", "127.0.0.1");
    let (h, link) = Harness::mailed(setup, EPIC).await;
    let path = link.strip_prefix("https://reconnect.example.net").unwrap();
    let token = path.strip_prefix("/some/where/r/").unwrap();
    // As a proxy hands it on that takes the path before away.
    let here = format!("http://{}/r/{token}", h.app.config.links.listen);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    // And as one does that leaves it.
    let whole = format!("http://{}{path}", h.app.config.links.listen);
    for page in [&here, &whole] {
        assert_eq!(client.get(page).send().await.unwrap().status(), 200, "{page}");
        let back = client.get(format!("{page}/resend")).send().await.unwrap();
        assert_eq!(back.headers()["location"], path, "{page}");
    }
    let form_key = async || {
        let html = client.get(&here).send().await.unwrap().text().await.unwrap();
        let key = html.split_once("name=\"form_key\" value=\"").unwrap().1.split('"').next().unwrap();
        h.person().read().await;
        [("form_key", key.to_owned())]
    };
    let answer = client.post(&whole).form(&form_key().await).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, format!("Path={path}; Max-Age=600; HttpOnly; SameSite=Strict; Secure"));
    let token = pair.split_once('=').unwrap().1;
    assert!(!h.contents().await.iter().any(|row| row.contains(token)), "nothing of it is stored");
    assert!(!h.log.text().contains(token));
    let key = form_key().await;
    let press = async |cookie: &str| {
        client.post(&here).header("cookie", cookie).form(&key).send().await.unwrap().status()
    };
    assert_eq!(press(pair).await, 303);
    for wrong in [format!("{}=", pair.split_once('=').unwrap().0), format!("x{pair}"), format!("{pair}x")] {
        assert_eq!(press(&wrong).await, 410, "{wrong}");
    }
    h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap();
    assert_eq!(press(pair).await, 404);
}
