//! A browser with cookies and a `User-Agent`. [`reconnectd::sim::TestBrowser`] has neither.

use reqwest::{
    Client, Method, RequestBuilder, Url,
    header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE},
    redirect,
};
use std::sync::Mutex;

/// It never expires cookies, so that the server must check their age.
pub(crate) struct Browser {
    client: Client,
    /// Path, name and value.
    cookies: Mutex<Vec<(String, String, String)>>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Answer {
    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION).map(|value| value.to_str().expect("a readable location"))
    }

    pub(crate) fn set_cookie(&self) -> Option<&str> {
        self.headers.get(SET_COOKIE).map(|value| value.to_str().expect("a readable cookie"))
    }

    /// The page's state, and then those of its buttons.
    pub(crate) fn states(&self) -> Vec<&str> {
        states(&self.html)
    }

    /// What the page's forms do, in their order.
    pub(crate) fn forms(&self) -> Vec<String> {
        forms(&self.html)
    }
}

/// The state of a page, and then those of its buttons.
pub(crate) fn states(html: &str) -> Vec<&str> {
    html.split("data-state=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What the forms of a page do, in their order: `redeem epic`, `dismiss epic`, `resend`, `resubscribe`, `unsubscribe`.
pub(crate) fn forms(html: &str) -> Vec<String> {
    let value = |form: &str, before: &str| {
        form.split_once(before).and_then(|(_, rest)| rest.split('"').next()).map(str::to_owned)
    };
    let describe = |form: &str| {
        let form = form.split("</form>").next().unwrap_or_default();
        let act = match value(form, "action=\"").map(|action| action.replace("&#x2f;", "/")) {
            None => "unsubscribe".to_owned(),
            Some(action) => match action.rsplit('/').next().unwrap_or_default() {
                act @ ("dismiss" | "resend" | "resubscribe") => act.to_owned(),
                _ => "redeem".to_owned(),
            },
        };
        value(form, "name=\"connection\" value=\"").map_or(act.clone(), |id| format!("{act} {id}"))
    };
    html.split("<form").skip(1).map(describe).collect()
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::named("Mozilla/5.0 (a member's)")
    }

    /// One with this `User-Agent`.
    pub(crate) fn named(agent: &str) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).user_agent(agent).no_proxy();
        Self { client: client.build().expect("a client"), cookies: Mutex::default() }
    }

    /// Follows a link from another site, such as a webmail page. The browser does not send
    /// `SameSite=Strict` cookies.
    pub(crate) async fn arrive(&self, link: &str) -> Answer {
        self.answer(link, self.client.get(link)).await
    }

    /// Opens an address that was typed in.
    pub(crate) async fn open(&self, link: &str) -> Answer {
        self.answer(link, self.with_cookies(link, self.client.get(link))).await
    }

    /// Presses a button of a page of the same site.
    pub(crate) async fn press(&self, link: &str, fields: &[(&str, &str)]) -> Answer {
        self.answer(link, self.with_cookies(link, self.client.post(link)).form(fields)).await
    }

    /// Sends any request, without cookies.
    pub(crate) async fn send(&self, method: Method, link: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.client.request(method, link);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.answer(link, request).await
    }

    fn with_cookies(&self, link: &str, request: RequestBuilder) -> RequestBuilder {
        let path = path(link);
        let cookies = self.cookies.lock().expect("the cookies");
        let here = cookies.iter().filter(|(of, _, _)| path == *of || path.starts_with(&format!("{of}/")));
        let pairs: Vec<_> = here.map(|(_, name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { request } else { request.header(COOKIE, pairs.join("; ")) }
    }

    async fn answer(&self, link: &str, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("the pages answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().expect("a readable cookie");
            let mut parts = line.split("; ");
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a pair");
            let of = parts.find_map(|part| part.strip_prefix("Path=")).unwrap_or("/").to_owned();
            assert_eq!(of, path(link), "a cookie is for its link alone");
            let mut cookies = self.cookies.lock().expect("the cookies");
            cookies.retain(|(other, old, _)| (other.as_str(), old.as_str()) != (of.as_str(), name));
            cookies.push((of, name.to_owned(), value.to_owned()));
        }
        Answer { status, headers, html: response.text().await.expect("a text") }
    }
}

fn path(link: &str) -> String {
    Url::parse(link).expect("an address").path().to_owned()
}
