//! The pages for people: no scripts, no resources of other hosts.

use super::{app::App, rows::Row};
use axum::{
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Environment, Value, context};
use serde::Deserialize;
use std::sync::LazyLock;

/// Members per page.
const PAGE: usize = 50;

/// The pages contain only their own forms.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'",
);

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, source) in [
        ("layout.html", include_str!("pages/layout.html")),
        ("index.html", include_str!("pages/index.html")),
        ("authorize.html", include_str!("pages/authorize.html")),
        ("done.html", include_str!("pages/done.html")),
        ("gone.html", include_str!("pages/gone.html")),
        ("mails.html", include_str!("pages/mails.html")),
        ("mail.html", include_str!("pages/mail.html")),
    ] {
        templates.add_template(name, source).expect("an embedded template is well formed");
    }
    templates
});

/// A page of HTML.
pub(super) fn page(template: &str, values: Value) -> Response {
    page_with_status(StatusCode::OK, template, values)
}

/// A page of HTML under this status.
pub(super) fn page_with_status(status: StatusCode, template: &str, values: Value) -> Response {
    match TEMPLATES.get_template(template).and_then(|template| template.render(values)) {
        Ok(html) => {
            let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, no_store())];
            (status, headers, Html(html)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{template}: {error}")).into_response(),
    }
}

fn no_store() -> HeaderValue {
    HeaderValue::from_static("no-store")
}

/// The query of the first page.
#[derive(Deserialize)]
pub(super) struct Search {
    /// Part of a member's id.
    #[serde(default)]
    q: String,
}

/// The first page: members and their connections, with buttons.
pub(super) async fn index(State(app): State<App>, Query(search): Query<Search>) -> Response {
    let world = &app.world;
    let wanted = search.q.trim();
    let ids = (0..world.population()).map(|number| world.member_id(number));
    let mut matching = ids.filter(|id| id.contains(wanted)).peekable();
    let members: Vec<Value> = matching
        .by_ref()
        .take(PAGE)
        .map(|id| {
            let rows = world.connections(&id).unwrap_or_default();
            context! { id, connections => rows.iter().map(view).collect::<Vec<_>>() }
        })
        .collect();
    let more = matching.peek().is_some();
    let mails = app.mailbox.received();
    page("index.html", context! { members, more, mails, q => wanted, population => world.population() })
}

fn view(row: &Row) -> Value {
    context! {
        id => row.id(),
        name => &*row.source.name,
        category => &*row.source.category,
        direct => row.source.is_direct,
        status => row.status(),
        sync_status => row.sync_status(),
        changed => row.status_updated.format("%Y-%m-%d %H:%M:%S").to_string(),
    }
}
