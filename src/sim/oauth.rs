//! The sign-in at a data source: a page with two buttons, at a URL that works once.

use super::{
    app::App,
    ids::MemberNo,
    pages::{page, page_with_status},
    pending_sign_ins::SignIn,
    rows::{Source, find_or_create},
    world::World,
};
use crate::base::random;
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

/// The URL was used before, has expired, or is unknown.
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
        state.sign_ins.add(secret, SignIn { member, connection: source.id.to_string(), expires }, now);
        format!("{}/oauth/authorize?{query}", self.0.base)
    }

    /// Signs in as the member: follows a URL of `getOauthUrl` and presses Allow or Deny.
    pub fn sign_in(&self, oauth_url: &str, allow: bool) -> Result<(), InvalidSignIn> {
        let url = url::Url::parse(oauth_url).map_err(|_| InvalidSignIn)?;
        let (_, state) = url.query_pairs().find(|(name, _)| name == "state").ok_or(InvalidSignIn)?;
        self.finish_sign_in(&state, allow)
    }

    fn finish_sign_in(&self, state: &str, allow: bool) -> Result<(), InvalidSignIn> {
        let sign_in = self.state().sign_ins.take(state, self.now()).ok_or(InvalidSignIn)?;
        if allow {
            self.change_rows(sign_in.member, |rows, now| {
                find_or_create(rows, &sign_in.connection, now).connect(now)
            });
        }
        Ok(())
    }

    /// The name of the sign-in's source.
    fn destination(&self, state: &str) -> Option<String> {
        let sign_in = self.state().sign_ins.get(state, self.now())?.clone();
        let rows = self.listed(sign_in.member);
        let row = rows.into_iter().find(|row| row.id() == sign_in.connection);
        Some(row.map_or_else(|| Source::named(&sign_in.connection), |row| row.source).name.into_owned())
    }
}

/// The parameters of the URL.
#[derive(Deserialize)]
pub(super) struct Authorize {
    state: String,
}

/// The source's page. A view changes nothing.
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

/// Consumes the URL.
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

/// The query of the landing page.
#[derive(Deserialize)]
pub(super) struct Landed {
    #[serde(default)]
    status_code: String,
}

/// The page that the browser is redirected to.
pub(super) async fn done(Query(landed): Query<Landed>) -> Response {
    page("done.html", context! { success => landed.status_code == "success" })
}

fn not_good() -> Response {
    page_with_status(StatusCode::GONE, "gone.html", context! {})
}
