//! The simulator's browser, for tests in which every request gets a response.

use reconnectd::sim::{PageResponse, TestBrowser};
use reqwest::Method;

pub(crate) struct Browser(TestBrowser);

impl Browser {
    pub(crate) fn new() -> Self {
        Self(TestBrowser::new().expect("a client"))
    }

    /// A browser with this `User-Agent`.
    pub(crate) fn named(agent: &str) -> Self {
        Self(TestBrowser::named(agent).expect("a client"))
    }

    /// Follows a link from another site.
    pub(crate) async fn arrive(&self, link: &str) -> PageResponse {
        self.0.arrive(link).await.expect("a response")
    }

    /// Opens an address that was typed in.
    pub(crate) async fn open(&self, link: &str) -> PageResponse {
        self.0.open(link).await.expect("a response")
    }

    /// Presses a button of a page.
    pub(crate) async fn press(&self, link: &str, fields: &[(&str, &str)]) -> PageResponse {
        self.0.press(link, fields).await.expect("a response")
    }

    /// Sends any request, without cookies.
    pub(crate) async fn send(&self, method: Method, link: &str, headers: &[(&str, &str)]) -> PageResponse {
        self.0.send(method, link, headers).await.expect("a response")
    }
}
