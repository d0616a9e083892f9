//! Enrolls, changes, pauses, resumes, and removes one member.

use super::caller::Caller;
use super::extract::{ApiQuery, Id, unsupported};
use super::failure::{bad_request, internal, unprocessable};
use super::members::no_such_member;
use super::parameters::flag;
use crate::domain::MemberId;
use crate::import::{ImportError, MemberLine};
use crate::rows::{AddedMemberRow, ImportErrorRow, PauseRow, RemovedMemberRow};
use crate::store::{ImportRow, PauseOutcome};
use crate::web::problem::Problem;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// The values to set. A value that is left out stays as it is; null sets the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "alice@example.com", "locale": "en-GB", "time_zone": "Europe/London"}))]
#[expect(dead_code, reason = "documents what the importer reads")]
pub(super) struct MemberBody {
    /// As in the path.
    member_id: Option<String>,
    /// Required for a new member.
    #[schema(format = Email, nullable = false)]
    email: Option<String>,
    /// Such as `es` or `en-GB`.
    locale: Option<String>,
    /// Such as `Europe/Madrid`.
    time_zone: Option<String>,
    /// At the identity provider; the member id without it.
    #[schema(max_length = 255)]
    subject: Option<String>,
    /// Distinguishes members who share an address, such as a first name.
    #[schema(max_length = 255)]
    label: Option<String>,
    /// One that was imported before changes nothing.
    refresh_token: Option<String>,
}

/// Enroll a member, or change the given values of an enrolled one
#[utoipa::path(put, operation_id = "put_member", path = "/members/{id}", tag = "members",
    params(("id" = String, Path, description = "member id, of at most 255 bytes")), request_body = MemberBody,
    responses((status = 200, description = "changed", body = AddedMemberRow<'static>),
        (status = 201, description = "enrolled", body = AddedMemberRow<'static>),
        (status = 409, response = super::document::Conflict), (status = 413, response = super::document::TooLarge),
        (status = 415, response = super::document::WrongType), (status = 422, response = super::document::Invalid)))]
pub(super) async fn put(
    caller: Caller,
    Id(id): Id<MemberId>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !is_json(&headers) {
        return Err(unsupported("application/json"));
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        _ => bad_request("the body cannot be read"),
    })?;
    let body = str::from_utf8(&body).map_err(|_| bad_request("the body is not UTF-8"))?;
    let MemberLine { line, edit, refresh_token, .. } =
        crate::import::member(id.as_str(), body).map_err(|error| invalid(&error.at(0)))?;
    let credential = refresh_token.map(|token| caller.keyring.new_credential(&id, &token)).transpose();
    let credential = credential.map_err(|error| internal("keyring_failed", &error))?;
    let now = caller.clock.now();
    let _turn = caller.turn_to_import().await?;
    let added = caller.store.member(&id).await?.is_none();
    let mut import = caller.store.import(now).await?;
    import.stage(&[ImportRow { line, edit, credential }]).await?;
    if !import.lines_without_address(1).await?.is_empty() {
        import.discard().await?;
        return Err(invalid(&ImportError::missing_address(0)));
    }
    let counts = import.apply(now, |_| {}).await?;
    let row = AddedMemberRow { member_id: id.as_str(), added, known_tokens: counts.known_tokens };
    let status = if added { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(row)).into_response())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn invalid(error: &ImportError) -> Problem {
    unprocessable(error).errors(&[ImportErrorRow::from(error)])
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// `true`: delete the member's data, too
    #[param(value_type = Option<bool>)]
    erase: Option<String>,
}

/// Stop watching a member
#[utoipa::path(delete, operation_id = "remove_member", path = "/members/{id}", tag = "members",
    params(("id" = String, Path, description = "member id"), RemoveQuery),
    responses((status = 200, description = "removed", body = RemovedMemberRow<'static>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn remove(
    caller: Caller,
    Id(id): Id<MemberId>,
    ApiQuery(query): ApiQuery<RemoveQuery>,
) -> Result<Response, Problem> {
    let erased = flag("erase", query.erase.as_deref())?;
    let now = caller.clock.now();
    let (exists, traces_remain) = if erased {
        let exists = caller.store.erase_member(&id, &caller.keyring.pseudonym(&id), now).await?;
        // Also after a repeated request: the first one may have ended here.
        (exists, !caller.store.truncate_log().await?)
    } else {
        (caller.store.remove_member(&id, now).await?, false)
    };
    if !exists {
        return Err(no_such_member());
    }
    Ok(Json(RemovedMemberRow { member_id: id.as_str(), erased, traces_remain }).into_response())
}

/// Stop polls and email for a member
#[utoipa::path(post, operation_id = "pause_member", path = "/members/{id}/pause", tag = "members",
    params(("id" = String, Path, description = "member id")),
    responses((status = 200, description = "paused", body = PauseRow<'static>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn pause(caller: Caller, Id(id): Id<MemberId>) -> Result<Response, Problem> {
    let outcome = caller.store.pause_members(std::slice::from_ref(&id), caller.clock.now()).await?;
    show_pause(&id, true, &outcome)
}

/// Poll and email a paused member again, and send what the pause stopped
#[utoipa::path(post, operation_id = "resume_member", path = "/members/{id}/resume", tag = "members",
    params(("id" = String, Path, description = "member id")),
    responses((status = 200, description = "resumed", body = PauseRow<'static>),
        (status = 404, response = super::document::NotFound)))]
pub(super) async fn resume(caller: Caller, Id(id): Id<MemberId>) -> Result<Response, Problem> {
    let outcome = caller.store.resume_members(std::slice::from_ref(&id), caller.clock.now()).await?;
    show_pause(&id, false, &outcome)
}

fn show_pause(id: &MemberId, paused: bool, outcome: &PauseOutcome) -> Result<Response, Problem> {
    match outcome {
        PauseOutcome::NotEnrolled(_) => Err(no_such_member()),
        PauseOutcome::Changed(changed) => {
            let row = PauseRow { member_id: id.as_str(), paused, changed: changed.contains(id) };
            Ok(Json(row).into_response())
        }
    }
}
