//! What operators did, and who read data of members.

use super::super::error::PageError;
use super::super::render::page;
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::Visit;
use super::changes::ChangeRow;
use crate::domain::MemberId;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

const PAGE: u32 = 100;
const DAYS: i64 = 365;

#[derive(Default, Deserialize)]
pub(in super::super) struct Filter {
    #[serde(default)]
    member: String,
    /// The id of the last row of the page before.
    #[serde(default)]
    before: String,
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    Query(filter): Query<Filter>,
    visit: Visit,
) -> Result<Response, PageError> {
    let member = Some(filter.member.as_str()).filter(|id| !id.is_empty()).map(MemberId::from);
    let before = Some(filter.before.as_str()).filter(|id| !id.is_empty());
    let since = visit.now - TimeDelta::days(DAYS);
    let records = state.admin.store.audit(member.as_ref(), since, before, PAGE).await?;
    let last = records.last().filter(|_| records.len() == PAGE as usize);
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let next = last.map(|record| format!("member={}&before={}", encode(&filter.member), encode(&record.id)));
    let rows: Vec<ChangeRow> = records.into_iter().map(ChangeRow::from).collect();
    let content = shown! { rows, next, member => filter.member, days => DAYS };
    Ok(page(&visit, "audit.html", "/audit", "What did operators do?", content))
}
