//! The simulator's browser, for tests in which every request gets a response.

use chrono::TimeDelta;
use reconnectd::base::clock::ManualClock;
use reconnectd::sim::{PageResponse, TestBrowser};
use reqwest::Method;

pub(crate) fn person(agent: &str, clock: ManualClock) -> TestBrowser {
    let advance = move |time| clock.advance(TimeDelta::from_std(time).expect("a short time"));
    TestBrowser::named(agent).expect("a client").with_clock(advance)
}

pub(crate) struct Browser(TestBrowser);

impl Browser {
    /// A browser with this `User-Agent`, for a server with this clock.
    pub(crate) fn new(agent: &str, clock: ManualClock) -> Self {
        Self(person(agent, clock))
    }

    /// Follows a link from another site.
    pub(crate) async fn arrive(&self, link: &str) -> PageResponse {
        self.0.arrive(link).await.expect("a response")
    }

    /// Opens an address that was typed in.
    pub(crate) async fn open(&self, link: &str) -> PageResponse {
        self.0.open(link).await.expect("a response")
    }

    /// Opens the link's page, reads it, and presses a button.
    pub(crate) async fn press(&self, action: &str, fields: &[(&str, &str)]) -> PageResponse {
        self.0.press(action, fields).await.expect("a response")
    }

    /// Presses a button of a page that is open already.
    pub(crate) async fn press_on(
        &self,
        page: &PageResponse,
        action: &str,
        fields: &[(&str, &str)],
    ) -> PageResponse {
        let key = page.field("form_key").expect("a form");
        self.post(action, &[fields, &[("form_key", &key)]].concat()).await
    }

    /// Waits as long as a person reads a page.
    pub(crate) async fn read(&self) {
        self.0.read().await;
    }

    /// Submits a form with exactly these fields.
    pub(crate) async fn post(&self, action: &str, fields: &[(&str, &str)]) -> PageResponse {
        self.0.post(action, fields).await.expect("a response")
    }

    /// Sends any request, without cookies.
    pub(crate) async fn send(&self, method: Method, link: &str, headers: &[(&str, &str)]) -> PageResponse {
        self.0.send(method, link, headers).await.expect("a response")
    }
}
