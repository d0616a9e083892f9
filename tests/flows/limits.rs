//! What one client address may ask of the public pages, and what they say to everyone alike.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reqwest::{Client, Method, Response, StatusCode, header::HeaderMap, redirect};

fn browser() -> Client {
    Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap()
}

/// Alice has a mail about epic; of one address ten requests a minute are answered, of which two may be presses.
async fn mailed(proxies: usize) -> (Harness, String) {
    let setup = Setup::default().set("LINKS__REQUESTS_PER_MINUTE", 10).set("LINKS__TRUSTED_PROXIES", proxies);
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    (h, link)
}

/// Opens a page as a proxy passes it on from `client`.
async fn open_for(link: &str, client: &str) -> StatusCode {
    browser().get(link).header("X-Forwarded-For", client).send().await.unwrap().status()
}

#[tokio::test]
async fn who_asks_too_often_is_told_so_in_their_language_and_the_link_stays_good() {
    let (h, link) = mailed(0).await;
    for _ in 0..10 {
        assert_eq!(h.look(&link).await.status, 200);
    }
    let unknown = link.replace("/r/", "/r/x");
    for (path, language, words) in [
        (&link, "en", "One moment, please"),
        (&link, "es-MX,en;q=0.5", "Un momento"),
        (&unknown, "fr", "One moment"),
    ] {
        let answer = browser().get(path).header("Accept-Language", language).send().await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "6");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let page = answer.text().await.unwrap();
        assert!(page.contains(words), "{page}");
    }
    let pressed = h.press(&link).await;
    assert_eq!((pressed.status, pressed.location), (429, None), "nothing is spent");

    h.clock.advance(TimeDelta::minutes(1));
    h.reconnect(&link).await;
}

#[tokio::test]
async fn presses_are_fewer_than_looks() {
    let (h, link) = mailed(0).await;
    let mut presses = Vec::new();
    for _ in 0..3 {
        presses.push(h.press(&link).await.status);
    }
    assert_eq!(presses, [303, 410, 429]);
    assert_eq!(h.look(&link).await.status, 410, "a look is still answered");
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_their_own_limit_and_nobody_can_write_themselves_another() {
    let (_h, link) = mailed(1).await;
    for n in 0..10 {
        // What a client writes stands left of what the proxy appends.
        assert_eq!(open_for(&link, &format!("192.0.2.{n}, 198.51.100.7")).await, 200);
    }
    assert_eq!(open_for(&link, "192.0.2.99, 198.51.100.7").await, 429);
    assert_eq!(open_for(&link, "203.0.113.9").await, 200, "another client");

    for n in 0..10 {
        assert_eq!(open_for(&link, &format!("2001:db8:0:7::{n:x}")).await, 200);
    }
    assert_eq!(open_for(&link, "2001:db8:0:7:ffff::1").await, 429, "a network is one client");
    assert_eq!(open_for(&link, "2001:db8:0:8::1").await, 200);
}

#[tokio::test]
async fn without_a_proxy_of_ours_nobody_can_write_themselves_another_address() {
    let (_h, link) = mailed(0).await;
    for n in 0..10 {
        assert_eq!(open_for(&link, &format!("198.51.100.{n}")).await, 200);
    }
    assert_eq!(open_for(&link, "198.51.100.99").await, 429);
}

#[tokio::test]
async fn mail_providers_can_stop_many_members_mails_from_one_address() {
    let (h, link) = mailed(0).await;
    let unknown = link.replace("/r/", "/u/x");
    let browser = browser();
    for _ in 0..150 {
        let answer = browser.post(&unknown).body("List-Unsubscribe=One-Click").send().await.unwrap();
        assert_ne!(answer.status(), 429);
    }
    assert_eq!(h.look(&link).await.status, 200, "and use nothing up of what members may ask");
}

/// What an answer says to a stranger.
async fn said(answer: Response) -> (StatusCode, HeaderMap, String) {
    let mut headers = answer.headers().clone();
    headers.remove("date");
    (answer.status(), headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn whatever_is_no_link_is_answered_alike() {
    let setup = Setup::default().set("LINKS__REQUESTS_PER_MINUTE", 0);
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let (base, token) = link.rsplit_once('/').unwrap();
    assert!(h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap());
    let (cut, other, long) = (&token[..token.len() - 1], token.to_lowercase(), "A".repeat(8_000));
    let never = "A".repeat(token.len());
    let shapes = [
        token,
        cut,
        &other,
        &long,
        &never,
        "x",
        "%ff%fe",
        "%00",
        "%2e%2e",
        "a%2Fb",
        "%F0%9F%92%8A",
        "-",
        "~",
        "a;b=c",
    ];
    let browser = browser();
    let ask = async |method: &Method, url: String| {
        said(browser.request(method.clone(), url).header("Accept", "*/*").send().await.unwrap()).await
    };
    for method in [Method::GET, Method::POST] {
        let expected = ask(&method, format!("{base}/{never}")).await;
        assert_eq!(expected.0, 404);
        assert!(expected.2.contains("We don’t know this link"), "{}", expected.2);
        for shape in shapes {
            assert_eq!(ask(&method, format!("{base}/{shape}")).await, expected, "{method} {shape}");
            assert_eq!(ask(&method, format!("{base}/{shape}?x=%ff&y")).await, expected, "{method} {shape}?");
        }
        for elsewhere in ["", "x", "%ff", "a/b/c", &format!("{never}/fly")] {
            let answer = ask(&Method::GET, format!("{base}/{elsewhere}")).await;
            assert_eq!((answer.0, &answer.2), (expected.0, &expected.2), "{elsewhere}");
        }
    }
    let head = ask(&Method::HEAD, link.clone()).await;
    assert_eq!((head.0, head.2), (StatusCode::NOT_FOUND, String::new()));
    for method in [Method::OPTIONS, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
        let answer = ask(&method, link.clone()).await;
        assert_eq!(answer.0, 405, "{method}");
        assert_eq!(answer.1["allow"], "GET,HEAD,POST");
        assert!(answer.1.contains_key("content-security-policy"), "{method}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_of_ours_spends_nothing() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let form = "application/x-www-form-urlencoded";
    let bodies: [(&str, Vec<u8>); 2] = [
        ("far too large", b"connection=epic&x=".iter().copied().chain([b'x'; 20_000]).collect()),
        ("said twice", b"connection=epic&connection=other".to_vec()),
    ];
    for (sentence, body) in bodies {
        let answer = browser().post(&link).header("Content-Type", form).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{sentence}");
        assert!(answer.headers().contains_key("content-security-policy"), "{sentence}");
    }
    h.reconnect(&link).await;
}
