//! The mailbox's pages.

use super::{
    app::App,
    mailbox::{ReceivedEmail, unfold},
    pages::page,
};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Value, context};
use std::sync::Arc;

/// Emails that the list shows.
const PAGE: usize = 200;

/// Runs and fetches nothing. A link opens in a new tab.
const SANDBOX: HeaderValue = HeaderValue::from_static(
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; \
     default-src 'none'; style-src 'unsafe-inline'; img-src data:",
);

/// `GET /mail`: newest first.
pub(super) async fn list(State(app): State<App>) -> Response {
    let all = app.mailbox.mails();
    let mails = all.iter().rev().take(PAGE).map(|mail| {
        let at = mail.at.format("%Y-%m-%d %H:%M:%S").to_string();
        context! { n => mail.n, at, to => mail.to.join(", "), subject => mail.subject() }
    });
    page("mails.html", context! { mails => mails.collect::<Vec<Value>>(), more => all.len() > PAGE })
}

/// `GET /mail/{n}`.
pub(super) async fn show(State(app): State<App>, Path(n): Path<u64>) -> Result<Response, StatusCode> {
    let mail = find(&app, n)?;
    let message = mail.parse();
    let headers = message.iter().flat_map(|message| message.headers_raw());
    let headers: Vec<Value> =
        headers.map(|(name, value)| context! { name, value => unfold(value) }).collect();
    Ok(page(
        "mail.html",
        context! { n, headers, subject => mail.subject(), text => mail.text(),
        html => mail.html().is_some(), from => &mail.from, to => mail.to.join(", ") },
    ))
}

/// `GET /mail/{n}/html`: the HTML part alone.
pub(super) async fn html(State(app): State<App>, Path(n): Path<u64>) -> Result<Response, StatusCode> {
    const NEW_TAB: &str = "<base target=\"_blank\">";
    let mut html = find(&app, n)?.html().ok_or(StatusCode::NOT_FOUND)?;
    // Inside the head if there is one: before the doctype, it would change how the email is rendered.
    let at = html.find("<head>").map_or(html.len(), |head| head + "<head>".len());
    html.insert_str(at, NEW_TAB);
    Ok(([(header::CONTENT_SECURITY_POLICY, SANDBOX)], Html(html)).into_response())
}

/// `GET /mail/{n}/raw`: the email as received.
pub(super) async fn raw(State(app): State<App>, Path(n): Path<u64>) -> Result<Response, StatusCode> {
    let mail = find(&app, n)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], mail.raw.clone()).into_response())
}

fn find(app: &App, n: u64) -> Result<Arc<ReceivedEmail>, StatusCode> {
    app.mailbox.mail(n).ok_or(StatusCode::NOT_FOUND)
}
