//! A person with a browser: opens links, presses buttons, and goes where they are sent when they want to.

use reqwest::{Client, header::LOCATION, redirect};
use std::time::Duration;

/// A person at a browser that follows no redirect by itself.
#[derive(Clone, Debug)]
pub struct TestBrowser(Client);

/// What the browser shows.
pub struct PageResponse {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The page.
    pub html: String,
}

impl PageResponse {
    /// Whether there is something to press.
    pub fn has_button(&self) -> bool {
        self.html.contains("<button")
    }
}

impl TestBrowser {
    /// A fresh browser.
    ///
    /// # Errors
    /// When the machine cannot make an HTTP client.
    pub fn new() -> reqwest::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .no_proxy()
            .build()?;
        Ok(Self(client))
    }

    /// Opens a link.
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn open(&self, link: &str) -> reqwest::Result<PageResponse> {
        view(self.0.get(link)).await
    }

    /// Presses a button of the page at `link`; `fields` are its form's.
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn press(&self, link: &str, fields: &[(&str, &str)]) -> reqwest::Result<PageResponse> {
        view(self.0.post(link).form(fields)).await
    }

    /// Presses "Allow" on the sign-in page that `url` opens.
    ///
    /// # Errors
    /// When nothing answers.
    pub async fn allow(&self, url: &str) -> reqwest::Result<PageResponse> {
        let state = url::Url::parse(url)
            .ok()
            .and_then(|url| {
                url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
            })
            .unwrap_or_default();
        self.press(url, &[("state", &state), ("answer", "allow")]).await
    }
}

async fn view(request: reqwest::RequestBuilder) -> reqwest::Result<PageResponse> {
    let response = request.send().await?;
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(PageResponse { status: response.status().as_u16(), location, html: response.text().await? })
}
