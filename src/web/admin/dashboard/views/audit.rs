//! What operators did, and who read data of members.

use super::super::address::{given, query};
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
    let member = given(&filter.member).map(MemberId::from);
    let since = visit.now - TimeDelta::days(DAYS);
    let records = state.admin.store.audit(member.as_ref(), since, given(&filter.before), PAGE).await?;
    let last = records.last().filter(|_| records.len() == PAGE as usize);
    let next = last.map(|record| query(&[("member", &filter.member), ("before", &record.id)]));
    let rows: Vec<ChangeRow> = records.into_iter().map(ChangeRow::from).collect();
    let content = shown! { rows, next, member => filter.member, days => DAYS };
    Ok(page(&visit, "audit.html", "/audit", "What did operators do?", content))
}
