//! The levers of the simulated world: a machine interface under `/control`, and the buttons of the first
//! page.

use super::{
    app::App,
    faults::Fault,
    ids::NoSuchMember,
    mailbox::SmtpFault,
    operations::Operation,
    rows::{Change, find_or_create},
    settings::Settings,
    world::World,
};
use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The routes under `/control`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/control/members.jsonl", get(import_file))
        .route("/control/members/{member}/connections/{connection}", post(change))
        .route("/control/members/{member}/connections", post(change_together))
        .route("/control/tokens/{member}/revoke", post(revoke))
        .route("/control/tokens/{member}/restore", post(restore))
        .route("/control/faults", post(add_fault).delete(clear_faults))
        .route("/control/settings", get(settings).post(configure))
        .route("/control/requests", get(requests).delete(reset_requests))
        .route("/control/mails", get(mails).delete(clear_mails))
        .route("/control/mails/faults", post(add_mail_fault).delete(clear_mail_faults))
}

const DONE: StatusCode = StatusCode::NO_CONTENT;

/// The response to an invalid request.
enum Wrong {
    NoSuchMember,
    Settings(serde_json::Error),
}

impl From<NoSuchMember> for Wrong {
    fn from(NoSuchMember: NoSuchMember) -> Self {
        Self::NoSuchMember
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NoSuchMember => (StatusCode::NOT_FOUND, NoSuchMember.to_string()),
            Self::Settings(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        };
        (status, Json(json!({ "error": text }))).into_response()
    }
}

/// All members, for `members import`. Streamed, because there may be millions.
async fn import_file(State(app): State<App>) -> Response {
    let lines = (0..app.world.population()).map(move |number| {
        let line = app.world.import_line(&app.world.member_id(number));
        Ok::<_, std::convert::Infallible>(format!("{line}\n"))
    });
    let body = Body::from_stream(futures_util::stream::iter(lines));
    ([(header::CONTENT_TYPE, "application/jsonl")], body).into_response()
}

async fn change(
    State(app): State<App>,
    Path((member, connection)): Path<(String, String)>,
    Json(change): Json<Change>,
) -> Result<StatusCode, Wrong> {
    app.world.change(&member, &connection, change)?;
    Ok(DONE)
}

/// The changes, by connection.
async fn change_together(
    State(app): State<App>,
    Path(member): Path<String>,
    Json(changes): Json<BTreeMap<String, Change>>,
) -> Result<StatusCode, Wrong> {
    let changes = changes.iter().map(|(connection, change)| (connection.as_str(), change.clone()));
    app.world.change_together(&member, changes)?;
    Ok(DONE)
}

async fn revoke(State(app): State<App>, Path(member): Path<String>) -> Result<StatusCode, Wrong> {
    app.world.revoke(&member)?;
    Ok(DONE)
}

async fn restore(State(app): State<App>, Path(member): Path<String>) -> Result<StatusCode, Wrong> {
    app.world.restore(&member)?;
    Ok(DONE)
}

async fn add_fault(State(app): State<App>, Json(fault): Json<Fault>) -> StatusCode {
    app.world.add_fault(fault);
    DONE
}

async fn clear_faults(State(app): State<App>) -> StatusCode {
    app.world.clear_faults();
    DONE
}

async fn settings(State(app): State<App>) -> Json<Settings> {
    Json(app.world.settings())
}

/// Changes the given settings.
async fn configure(
    State(app): State<App>,
    Json(given): Json<Map<String, Value>>,
) -> Result<StatusCode, Wrong> {
    let mut all = serde_json::to_value(app.world.settings()).map_err(Wrong::Settings)?;
    if let Some(all) = all.as_object_mut() {
        all.extend(given);
    }
    let settings = serde_json::from_value(all).map_err(Wrong::Settings)?;
    app.world.configure(|current| *current = settings);
    Ok(DONE)
}

#[derive(Deserialize)]
struct Whose {
    member: Option<String>,
}

async fn requests(
    State(app): State<App>,
    Query(Whose { member }): Query<Whose>,
) -> Result<Json<Value>, Wrong> {
    let mut counts = Map::new();
    for operation in Operation::ALL {
        let count = match &member {
            None => app.world.request_count(*operation),
            Some(member) => app.world.request_count_for(member, *operation)?,
        };
        counts.insert(operation.as_str().to_owned(), count.into());
    }
    Ok(Json(json!({ "requests": counts, "peak_in_flight": app.world.peak_in_flight() })))
}

async fn reset_requests(State(app): State<App>) -> StatusCode {
    app.world.reset_requests();
    DONE
}

async fn mails(State(app): State<App>) -> Json<Value> {
    let mails = app.mailbox.mails();
    let mails = mails.iter().map(|mail| {
        json!({ "n": mail.n, "at": mail.at, "to": mail.to, "from": mail.from, "subject": mail.subject(),
            "raw": String::from_utf8_lossy(&mail.raw), "text": mail.text(), "html": mail.html() })
    });
    Json(mails.collect())
}

async fn clear_mails(State(app): State<App>) -> StatusCode {
    app.mailbox.clear();
    DONE
}

async fn add_mail_fault(State(app): State<App>, Json(fault): Json<SmtpFault>) -> StatusCode {
    app.mailbox.script(fault);
    DONE
}

async fn clear_mail_faults(State(app): State<App>) -> StatusCode {
    app.mailbox.clear_faults();
    DONE
}

/// A button of the first page.
#[derive(Deserialize)]
pub(super) struct Pressed {
    member: String,
    connection: String,
    status: String,
    /// The search to go back to.
    #[serde(default)]
    q: String,
}

/// `POST /press`: carries out what the button simulates, and shows the page again.
pub(super) async fn press(State(app): State<App>, Form(pressed): Form<Pressed>) -> Response {
    if let Err(no_such_member) = app.world.happen(&pressed.member, &pressed.connection, &pressed.status) {
        return Wrong::from(no_such_member).into_response();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &pressed.q).finish();
    let anchor = url::form_urlencoded::byte_serialize(pressed.member.as_bytes()).collect::<String>();
    Redirect::to(&format!("/?{query}#{anchor}")).into_response()
}

impl World {
    /// A line for `members import`: the member with an address and their first refresh token.
    pub fn import_line(&self, id: &str) -> Value {
        let token = super::credentials::first_refresh_token(id);
        json!({ "member_id": id, "email": format!("{id}@example.org"), "refresh_token": token })
    }

    /// Sets a status with its usual effects: a new connection fetches its records, and a deleted one
    /// disappears.
    fn happen(&self, member: &str, connection: &str, status: &str) -> Result<(), NoSuchMember> {
        let no = self.find(member)?;
        self.change_rows(no, |rows, now| {
            let row = find_or_create(rows, connection, now);
            match status {
                "CONNECTED" => row.connect(now),
                "DELETED" => row.delete(now),
                other => row.apply(Change::status(other), now),
            }
        });
        Ok(())
    }
}
