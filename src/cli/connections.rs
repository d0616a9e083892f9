//! `connections list`.

use super::completion::Completion;
use super::context::Context;
use super::output::Rows;
use crate::domain::{Connection, MemberId};
use serde::Serialize;

/// Rows read at a time.
const PAGE: u32 = 500;

/// A connection, as reports have it.
#[derive(Serialize)]
pub(super) struct ConnectionRow<'a> {
    member_id: &'a str,
    connection_id: &'a str,
    name: &'a str,
    category: Option<&'a str>,
    #[serde(rename = "type")]
    source_type: Option<&'a str>,
    integration_type: Option<&'a str>,
    is_direct: bool,
    status: Option<&'a str>,
    sync_status: Option<&'a str>,
    sync_errors: &'a [String],
    person_mismatch: bool,
}

impl<'a> ConnectionRow<'a> {
    pub(super) fn new(member: &'a MemberId, connection: &'a Connection) -> Self {
        Self {
            member_id: member.as_str(),
            connection_id: connection.id.as_str(),
            name: &connection.name,
            category: connection.category.as_ref().map(|value| value.as_str()),
            source_type: connection.source_type.as_ref().map(|value| value.as_str()),
            integration_type: connection.integration_type.as_ref().map(|value| value.as_str()),
            is_direct: connection.is_direct,
            status: connection.status.as_ref().map(|value| value.as_str()),
            sync_status: connection.sync_status.as_ref().map(|value| value.as_str()),
            sync_errors: &connection.sync_errors,
            person_mismatch: connection.is_person_mismatch(),
        }
    }
}

fn rows(json: bool) -> Rows {
    let columns =
        &[("MEMBER", 20), ("CONNECTION", 24), ("STATUS", 14), ("SYNC", 12), ("CATEGORY", 8), ("NAME", 0)];
    Rows::new(json, columns)
}

fn print(rows: &mut Rows, member: &MemberId, connection: &Connection) -> std::io::Result<()> {
    let row = ConnectionRow::new(member, connection);
    let cell = |value: Option<&'_ str>| value.unwrap_or_default().to_owned();
    let (status, sync, category) = (cell(row.status), cell(row.sync_status), cell(row.category));
    let mark = if row.person_mismatch { " (PERSON_MATCHING_ERROR: for another person?)" } else { "" };
    let name = format!("{}{mark}", row.name);
    rows.row(&row, &[row.member_id, row.connection_id, &status, &sync, &category, &name])
}

/// `connections list --member ID`: asks the gateway now, and what it answers is taken in like any answer.
pub(super) async fn list_now(context: &Context, member: &MemberId) -> anyhow::Result<Completion> {
    let app = context.app().await?;
    let seen = app.operator.connections(member).await;
    app.access.drain().await;
    let seen = seen?;
    let mut rows = rows(context.json);
    for connection in &seen {
        print(&mut rows, member, connection)?;
    }
    Ok(Completion::Complete)
}

/// `connections list`: everyone's, as last seen.
pub(super) async fn list_stored(context: &Context) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = rows(context.json);
    let mut after: Option<(MemberId, _)> = None;
    loop {
        let page = store.connections(None, after.as_ref().map(|(member, id)| (member, id)), PAGE).await?;
        for stored in &page {
            print(&mut rows, &stored.member_id, &stored.connection)?;
        }
        match page.last() {
            Some(last) => after = Some((last.member_id.clone(), last.connection.id.clone())),
            None => return Ok(Completion::Complete),
        }
    }
}
