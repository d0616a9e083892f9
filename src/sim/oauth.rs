//! The sign-in at a data source: a page with two buttons, at a URL that works once.

use super::{
    App,
    pages::{page, page_with_status},
    rows::Source,
    world::{MemberNo, World, entry},
};
use crate::{base::random, domain::Time};
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use minijinja::context;
use serde::Deserialize;
use std::collections::HashMap;

/// Reconnect URLs that wait for their member.
#[derive(Default)]
pub(super) struct Visits {
    by_state: HashMap<String, Visit>,
    /// At this size the expired ones are swept out.
    full: usize,
}

#[derive(Clone)]
struct Visit {
    member: MemberNo,
    connection: String,
    expires: Time,
}

impl Visits {
    fn add(&mut self, state: String, visit: Visit, now: Time) {
        if self.by_state.len() >= self.full.max(1024) {
            self.by_state.retain(|_, visit| now < visit.expires);
            self.full = self.by_state.len() * 2;
        }
        self.by_state.insert(state, visit);
    }

    fn get(&self, state: &str, now: Time) -> Option<&Visit> {
        self.by_state.get(state).filter(|visit| now < visit.expires)
    }

    fn take(&mut self, state: &str, now: Time) -> Option<Visit> {
        self.by_state.remove(state).filter(|visit| now < visit.expires)
    }
}

/// The URL was used before, has expired, or never was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this sign-in was used already, has expired, or never was one")]
pub struct InvalidSignIn;

impl World {
    pub(super) fn issue_oauth_url(&self, member: MemberNo, source: &Source) -> String {
        let secret = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &secret)
            .append_pair("connection", &source.id)
            .finish();
        let now = self.now();
        let mut state = self.state();
        let expires = now + TimeDelta::seconds(i64::from(state.settings.oauth_url_lifetime));
        state.visits.add(secret, Visit { member, connection: source.id.to_string(), expires }, now);
        format!("{}/oauth/authorize?{query}", self.0.base)
    }

    /// Does what the member does at the source: follows a URL of `getOauthUrl` and presses Allow, or Deny.
    pub fn sign_in(&self, oauth_url: &str, allow: bool) -> Result<(), InvalidSignIn> {
        let url = url::Url::parse(oauth_url).map_err(|_| InvalidSignIn)?;
        let (_, state) = url.query_pairs().find(|(name, _)| name == "state").ok_or(InvalidSignIn)?;
        self.finish_sign_in(&state, allow)
    }

    fn finish_sign_in(&self, state: &str, allow: bool) -> Result<(), InvalidSignIn> {
        let visit = self.state().visits.take(state, self.now()).ok_or(InvalidSignIn)?;
        if allow {
            self.change_rows(visit.member, |rows, now| entry(rows, &visit.connection, now).connect(now));
        }
        Ok(())
    }

    /// The name of the source where this sign-in leads.
    fn destination(&self, state: &str) -> Option<String> {
        let visit = self.state().visits.get(state, self.now())?.clone();
        let rows = self.listed(visit.member);
        let row = rows.into_iter().find(|row| row.id() == visit.connection);
        Some(row.map_or_else(|| Source::named(&visit.connection), |row| row.source).name.into_owned())
    }
}

/// What the URL carries.
#[derive(Deserialize)]
pub(super) struct Authorize {
    state: String,
}

/// The source's page. Looking at it changes nothing.
pub(super) async fn show(State(app): State<App>, Query(asked): Query<Authorize>) -> Response {
    match app.world.destination(&asked.state) {
        Some(source) => page("authorize.html", context! { source, state => asked.state }),
        None => not_good(),
    }
}

/// The button that was pressed.
#[derive(Deserialize)]
pub(super) struct Answer {
    state: String,
    answer: Choice,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Allow,
    Deny,
}

/// Spends the URL.
pub(super) async fn answer(State(app): State<App>, Form(given): Form<Answer>) -> Response {
    let allow = given.answer == Choice::Allow;
    match app.world.finish_sign_in(&given.state, allow) {
        Ok(()) => {
            let outcome = if allow { "success" } else { "failure" };
            Redirect::to(&format!("/oauth/done?status_code={outcome}")).into_response()
        }
        Err(InvalidSignIn) => not_good(),
    }
}

/// What the landing page is told.
#[derive(Deserialize)]
pub(super) struct Landed {
    #[serde(default)]
    status_code: String,
}

/// Where the browser lands.
pub(super) async fn done(Query(landed): Query<Landed>) -> Response {
    page("done.html", context! { success => landed.status_code == "success" })
}

fn not_good() -> Response {
    page_with_status(StatusCode::GONE, "gone.html", context! {})
}
