//! `connections list`.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{PAGE, Rows};
use crate::domain::{Connection, MemberId};
use crate::rows::ConnectionRow;

fn rows(json: bool) -> Rows {
    let columns =
        &[("MEMBER", 20), ("CONNECTION", 24), ("STATUS", 14), ("SYNC", 12), ("CATEGORY", 8), ("NAME", 0)];
    Rows::new(json, columns)
}

fn print(rows: &mut Rows, member: &MemberId, connection: &Connection) -> std::io::Result<()> {
    let row = ConnectionRow::new(member, connection);
    let mismatch =
        if row.person_mismatch { " (PERSON_MATCHING_ERROR: probably another person's)" } else { "" };
    let cells = [
        row.member_id,
        row.connection_id,
        row.status.unwrap_or_default(),
        row.sync_status.unwrap_or_default(),
        row.category.unwrap_or_default(),
        &format!("{}{mismatch}", row.name),
    ];
    rows.row(&row, &cells)
}

/// Polls the gateway, and records the response like any other.
pub(super) async fn list_current(context: &Context, member: &MemberId) -> anyhow::Result<Completion> {
    let connections = context.with_app(async |app| Ok(app.operator.connections(member).await?)).await?;
    let mut rows = rows(context.json);
    for connection in &connections {
        print(&mut rows, member, connection)?;
    }
    Ok(Completion::Complete)
}

/// All members' connections as last observed.
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
