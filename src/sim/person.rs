//! A person with a browser: opens links, presses buttons, and follows redirects on request.

use reqwest::{
    Client, Method, RequestBuilder, Url,
    header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE},
    redirect,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Keeps cookies and never expires them, so that the server must check their age.
pub struct TestBrowser {
    client: Client,
    cookies: Mutex<Vec<Cookie>>,
    /// Advances the server's clock by the time that reading a page takes. `None`: the clock is real.
    advance: Option<Box<dyn Fn(Duration) + Send + Sync>>,
}

/// How long the person reads a page before they press. The server rejects presses within a second.
const READING_TIME: Duration = Duration::from_millis(1_050);
/// The paths of a link's actions, below the link.
const ACTIONS: [&str; 5] = ["/resend", "/resubscribe", "/dismiss", "/snooze", "/undo"];

#[derive(Debug)]
struct Cookie {
    path: String,
    name: String,
    value: String,
}

/// The response that the browser shows.
#[derive(Debug)]
pub struct PageResponse {
    /// The HTTP status.
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<String>,
    pub headers: HeaderMap,
    pub html: String,
}

impl PageResponse {
    /// Whether the page has a button.
    pub fn has_button(&self) -> bool {
        self.html.contains("<button")
    }

    pub fn set_cookie(&self) -> Option<&str> {
        self.headers.get(SET_COOKIE).and_then(|value| value.to_str().ok())
    }

    /// The page's state, followed by the states of its buttons.
    pub fn states(&self) -> Vec<&str> {
        self.html.split("data-state=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    /// The value of the page's first hidden field with this name.
    pub fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.html.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split('"').next().map(str::to_owned)
    }

    /// The actions of the page's forms, in their order: `redeem epic`, `snooze epic`, `dismiss epic`, `undo epic`,
    /// `resend`, `resubscribe`, `unsubscribe`.
    pub fn forms(&self) -> Vec<String> {
        self.html.split("<form").skip(1).map(describe_form).collect()
    }
}

fn describe_form(form: &str) -> String {
    let form = form.split("</form>").next().unwrap_or_default();
    let value = |before: &str| form.split_once(before).and_then(|(_, rest)| rest.split('"').next());
    let action = match value("action=\"").map(|action| action.replace("&#x2f;", "/")) {
        None => "unsubscribe",
        Some(action) => match action.rsplit('/').next().unwrap_or_default() {
            "dismiss" => "dismiss",
            "snooze" => "snooze",
            "undo" => "undo",
            "resend" => "resend",
            "resubscribe" => "resubscribe",
            _ => "redeem",
        },
    };
    value("name=\"connection\" value=\"").map_or(action.to_owned(), |id| format!("{action} {id}"))
}

impl TestBrowser {
    /// # Errors
    /// The machine cannot create an HTTP client.
    pub fn new() -> reqwest::Result<Self> {
        Self::named("Mozilla/5.0 (a member's)")
    }

    /// A browser with this `User-Agent`.
    ///
    /// # Errors
    /// The machine cannot create an HTTP client.
    pub fn named(agent: &str) -> reqwest::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent(agent)
            .timeout(Duration::from_secs(60))
            // The pages and the sources are on this machine, without TLS. Reading the machine's certificates takes longer than a
            // visit.
            .tls_certs_only([])
            .no_proxy();
        Ok(Self { client: client.build()?, cookies: Mutex::default(), advance: None })
    }

    /// For a server whose clock is not real: reading a page calls `advance` and takes no real time.
    pub fn with_clock(self, advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { advance: Some(Box::new(advance)), ..self }
    }

    /// Follows a link from another site, such as a webmail page: without cookies that are `SameSite=Strict`.
    ///
    /// # Errors
    /// No response.
    pub async fn arrive(&self, link: &str) -> reqwest::Result<PageResponse> {
        self.receive(link, self.client.get(link)).await
    }

    /// Opens an address that was typed in.
    ///
    /// # Errors
    /// No response.
    pub async fn open(&self, link: &str) -> reqwest::Result<PageResponse> {
        self.receive(link, self.with_cookies(link, self.client.get(link))).await
    }

    /// Opens the page of the link, reads it, and presses a button whose form posts these `fields`, and the page's key, to
    /// `action`: the link or a path below it.
    ///
    /// # Errors
    /// No response.
    pub async fn press(&self, action: &str, fields: &[(&str, &str)]) -> reqwest::Result<PageResponse> {
        let link = ACTIONS.iter().find_map(|end| action.strip_suffix(end)).unwrap_or(action);
        let key = self.open(link).await?.field("form_key");
        self.read().await;
        let key = key.iter().map(|key| ("form_key", key.as_str()));
        self.post(action, &fields.iter().copied().chain(key).collect::<Vec<_>>()).await
    }

    /// Waits as long as a person reads a page.
    pub async fn read(&self) {
        match &self.advance {
            Some(advance) => advance(READING_TIME),
            None => tokio::time::sleep(READING_TIME).await,
        }
    }

    /// Submits a form with exactly these fields, as a program does that opened no page.
    ///
    /// # Errors
    /// No response.
    pub async fn post(&self, action: &str, fields: &[(&str, &str)]) -> reqwest::Result<PageResponse> {
        self.receive(action, self.with_cookies(action, self.client.post(action)).form(fields)).await
    }

    /// Sends any request, without cookies.
    ///
    /// # Errors
    /// No response.
    pub async fn send(
        &self,
        method: Method,
        link: &str,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<PageResponse> {
        let request = self.client.request(method, link);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.receive(link, request).await
    }

    /// Presses "Allow" on the sign-in page that `url` opens.
    ///
    /// # Errors
    /// No response.
    pub async fn allow(&self, url: &str) -> reqwest::Result<PageResponse> {
        let state = Url::parse(url)
            .ok()
            .and_then(|url| {
                url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
            })
            .unwrap_or_default();
        self.post(url, &[("state", &state), ("answer", "allow")]).await
    }

    fn cookies(&self) -> MutexGuard<'_, Vec<Cookie>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_cookies(&self, link: &str, request: RequestBuilder) -> RequestBuilder {
        let path = path(link);
        let cookies = self.cookies();
        let sent = cookies.iter().filter(|cookie| {
            let rest = path.strip_prefix(&cookie.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.path.ends_with('/'))
        });
        let pairs: Vec<_> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if pairs.is_empty() { request } else { request.header(COOKIE, pairs.join("; ")) }
    }

    async fn receive(&self, link: &str, request: RequestBuilder) -> reqwest::Result<PageResponse> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            self.keep_cookie(line, &path(link));
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(PageResponse { status, location, headers, html: response.text().await? })
    }

    fn keep_cookie(&self, line: &str, default_path: &str) {
        let mut parts = line.split("; ");
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let path = parts.find_map(|part| part.strip_prefix("Path=")).unwrap_or(default_path);
        let mut cookies = self.cookies();
        cookies.retain(|cookie| (cookie.path.as_str(), cookie.name.as_str()) != (path, name));
        cookies.push(Cookie { path: path.to_owned(), name: name.to_owned(), value: value.to_owned() });
    }
}

fn path(link: &str) -> String {
    Url::parse(link).map(|url| url.path().to_owned()).unwrap_or_default()
}
