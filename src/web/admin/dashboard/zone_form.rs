//! The form in which the viewer chooses a time zone.

use super::error::PageError;
use super::redirect::see_other;
use super::visit::Submission;
use super::zone;
use axum::http::header;
use axum::response::Response;
use chrono_tz::Tz;

pub(super) async fn choose(form: Submission) -> Result<Response, PageError> {
    let name = form.field("zone").unwrap_or("UTC").trim();
    let zone: Tz = name
        .parse()
        .map_err(|_| PageError::BadRequest("That is no time zone. Names look like America/New_York."))?;
    let mut response = see_other(form.back());
    if let Some(cookie) = zone::remember(zone) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
