//! Pages: a template, what it shows, and the headers.

use super::address::query;
use super::error::PageError;
use super::format;
use super::redirect::see_other;
use super::session::clear_result;
use super::visit::Visit;
use super::zone;
use crate::domain::Time;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::TimeDelta;
use chrono_tz::Tz;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use std::sync::LazyLock;

macro_rules! templates {
    ($($name:literal)+) => {
        [$((concat!($name, ".html"), include_str!(concat!("templates/", $name, ".html")))),+]
    };
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, source) in templates!(
        "audit" "broken" "confirm" "error" "failed" "held" "layout" "login" "macros" "member" "reached" "sources"
        "unreachable" "working"
    ) {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(event = "dashboard_failed", %error, name, "a template of the dashboard is faulty");
        }
    }
    environment.add_filter("number", format::number);
    environment.add_filter("percent", format::percent);
    environment
        .add_filter("duration", |milliseconds: i64| format::duration(TimeDelta::milliseconds(milliseconds)));
    environment
});

/// The views, in the order of the navigation: path, name, and the question.
pub(super) const VIEWS: [(&str, &str, &str); 8] = [
    ("/", "Working", "Is it working?"),
    ("/broken", "Broken", "What broke?"),
    ("/reached", "Reached", "Did we reach people?"),
    ("/sources", "Sources", "Which sources are trouble?"),
    ("/held", "Held back", "What are we holding back?"),
    ("/failed", "Failed", "What failed?"),
    ("/unreachable", "Unreachable", "Whom can we not reach?"),
    ("/member", "Member", "What happened to this member?"),
];

/// A view of the navigation, or another page of a session.
pub(super) fn page(visit: &Visit, template: &str, path: &str, title: &str, content: Value) -> Response {
    let nav =
        VIEWS.map(|(at, name, question)| context! { path => at, name, question, is_here => at == path });
    let shown = context! {
        title, nav, here => &*visit.here, form_token => &*visit.form_token, result => visit.result.as_deref(),
        viewer => &*visit.access.name, may_write => visit.access.may_write(), zone => visit.zone.name(),
        zones => zone::COMMON, is_logged_in => true, ..content
    };
    let mut response = fill(template, StatusCode::OK, shown, visit.zone, visit.now);
    if visit.result.is_some() {
        response.headers_mut().append(header::SET_COOKIE, clear_result());
    }
    response
}

/// A page without a session.
pub(super) fn public_page(template: &str, status: StatusCode, title: &str, content: Value) -> Response {
    let shown = context! { title, is_logged_in => false, ..content };
    fill(template, status, shown, Tz::UTC, Time::UNIX_EPOCH)
}

fn fill(template: &str, status: StatusCode, shown: Value, zone: Tz, now: Time) -> Response {
    match html(template, shown, zone, now) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(event = "dashboard_failed", %error, template, "cannot render a page of the dashboard");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be shown; the log has the error")
                .into_response()
        }
    }
}

pub(super) fn html(template: &str, shown: Value, zone: Tz, now: Time) -> Result<String, minijinja::Error> {
    let mut environment = TEMPLATES.clone();
    environment.add_filter("time", move |text: &str| {
        parse(text).map(|time| Value::from_safe_string(format::moment(time, zone)))
    });
    environment.add_filter("ago", move |text: &str| parse(text).map(|time| format::ago(time, now)));
    environment.get_template(template)?.render(shown)
}

fn parse(text: &str) -> Result<Time, minijinja::Error> {
    text.parse().map_err(|_| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "no time"))
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            tracing::error!(event = "dashboard_failed", %error, "a page of the dashboard failed");
        }
        let refresh = match &self {
            Self::LogIn { here } if here == "/" => return see_other("/login"),
            Self::LogIn { here } => return see_other(&format!("/login?{}", query(&[("to", here)]))),
            Self::Arrived { here } => Some(here.clone()),
            _ => None,
        };
        let (title, text) = self.words();
        public_page("error.html", self.status(), title, context! { text, refresh })
    }
}
