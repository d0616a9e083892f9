//! Rate limits of the member pages, and the responses to requests that name no link.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reqwest::{Client, Method, Response, StatusCode, header::HeaderMap, redirect};

fn browser() -> Client {
    Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap()
}

/// Alice has an email about epic. Each client can make ten requests a minute, two of them presses.
async fn emailed(proxies: usize) -> (Harness, String) {
    let setup = Setup::default().set("LINKS__REQUESTS_PER_MINUTE", 10).set("LINKS__TRUSTED_PROXIES", proxies);
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    (h, link)
}

/// Opens a page through a proxy that reports `client`.
async fn open_for(link: &str, client: &str) -> StatusCode {
    browser().get(link).header("X-Forwarded-For", client).send().await.unwrap().status()
}

#[tokio::test]
async fn a_client_above_the_limit_gets_429_in_its_language_and_the_link_still_works() {
    let (h, link) = emailed(0).await;
    for _ in 0..10 {
        assert_eq!(h.look(&link).await.status, 200);
    }
    let unknown = link.replace("/r/", "/r/x");
    for (path, accept_language, lang) in
        [(&link, "en", "en"), (&link, "es-MX,en;q=0.5", "es"), (&unknown, "fr", "en")]
    {
        let response = browser().get(path).header("Accept-Language", accept_language).send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "6");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let page = response.text().await.unwrap();
        assert!(page.contains(&format!("<html lang=\"{lang}\">")), "{page}");
    }
    let pressed = h.press(&link).await;
    assert_eq!((pressed.status, pressed.location), (429, None), "the link is not used up");

    h.clock.advance(TimeDelta::minutes(1));
    h.reconnect(&link).await;
}

#[tokio::test]
async fn presses_have_a_lower_limit_than_views() {
    let (h, link) = emailed(0).await;
    let mut presses = Vec::new();
    for _ in 0..3 {
        presses.push(h.press(&link).await.status);
    }
    assert_eq!(presses, [303, 410, 429]);
    assert_eq!(h.look(&link).await.status, 410, "a view still gets its page");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_limit_and_cannot_forge_another_address() {
    let (_h, link) = emailed(1).await;
    for n in 0..10 {
        // The proxy appends its entry to the right of the client's own.
        assert_eq!(open_for(&link, &format!("192.0.2.{n}, 198.51.100.7")).await, 200);
    }
    assert_eq!(open_for(&link, "192.0.2.99, 198.51.100.7").await, 429);
    assert_eq!(open_for(&link, "203.0.113.9").await, 200, "another client");

    for n in 0..10 {
        assert_eq!(open_for(&link, &format!("2001:db8:0:7::{n:x}")).await, 200);
    }
    assert_eq!(open_for(&link, "2001:db8:0:7:ffff::1").await, 429, "a /64 network is one client");
    assert_eq!(open_for(&link, "2001:db8:0:8::1").await, 200);
}

#[tokio::test]
async fn without_a_trusted_proxy_nobody_can_forge_an_address() {
    let (_h, link) = emailed(0).await;
    for n in 0..10 {
        assert_eq!(open_for(&link, &format!("198.51.100.{n}")).await, 200);
    }
    assert_eq!(open_for(&link, "198.51.100.99").await, 429);
}

#[tokio::test]
async fn email_providers_can_unsubscribe_many_members_from_one_address() {
    let (h, link) = emailed(0).await;
    let unknown = link.replace("/r/", "/u/x");
    let browser = browser();
    for _ in 0..150 {
        let response = browser.post(&unknown).body("List-Unsubscribe=One-Click").send().await.unwrap();
        assert_ne!(response.status(), 429);
    }
    assert_eq!(h.look(&link).await.status, 200, "one-click requests do not count as views");
}

/// All that a client sees of a response, except the date.
async fn visible(response: Response) -> (StatusCode, HeaderMap, String) {
    let mut headers = response.headers().clone();
    headers.remove("date");
    (response.status(), headers, response.text().await.unwrap())
}

#[tokio::test]
async fn all_requests_without_a_valid_link_get_the_same_response() {
    let setup = Setup::default().set("LINKS__REQUESTS_PER_MINUTE", 0);
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let (base, token) = link.rsplit_once('/').unwrap();
    assert!(h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap());
    let (cut, other, long) = (&token[..token.len() - 1], token.to_lowercase(), "A".repeat(8_000));
    let never = "A".repeat(token.len());
    let shapes =
        [token, cut, &other, &long, &never, "x", "%ff%fe", "%00", "a%2Fb", "%F0%9F%92%8A", "-", "~", "a;b=c"];
    let browser = browser();
    let request = async |method: &Method, url: String| {
        visible(browser.request(method.clone(), url).header("Accept", "*/*").send().await.unwrap()).await
    };
    for method in [Method::GET, Method::POST] {
        let expected = request(&method, format!("{base}/{never}")).await;
        assert_eq!(expected.0, 404);
        for shape in shapes {
            assert_eq!(request(&method, format!("{base}/{shape}")).await, expected, "{method} {shape}");
            assert_eq!(
                request(&method, format!("{base}/{shape}?x=%ff&y")).await,
                expected,
                "{method} {shape}?"
            );
        }
        for elsewhere in ["", "x", "%ff", "a/b/c", &format!("{never}/fly")] {
            let response = request(&Method::GET, format!("{base}/{elsewhere}")).await;
            assert_eq!((response.0, &response.2), (expected.0, &expected.2), "{elsewhere}");
        }
    }
    let head = request(&Method::HEAD, link.clone()).await;
    assert_eq!((head.0, head.2), (StatusCode::NOT_FOUND, String::new()));
    for method in [Method::OPTIONS, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
        let response = request(&method, link.clone()).await;
        assert_eq!(response.0, 405, "{method}");
        assert_eq!(response.1["allow"], "GET,HEAD,POST");
        assert!(response.1.contains_key("content-security-policy"), "{method}");
    }
}

#[tokio::test]
async fn a_malformed_form_does_not_use_up_the_link() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    let form = "application/x-www-form-urlencoded";
    let bodies: [(&str, Vec<u8>); 2] = [
        ("far too large", b"connection=epic&x=".iter().copied().chain([b'x'; 20_000]).collect()),
        ("a repeated field", b"connection=epic&connection=other".to_vec()),
    ];
    for (sentence, body) in bodies {
        let response = browser().post(&link).header("Content-Type", form).body(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{sentence}");
        assert!(response.headers().contains_key("content-security-policy"), "{sentence}");
    }
    h.reconnect(&link).await;
}
