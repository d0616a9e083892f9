//! A connection as reports show it.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json, single_line};
use crate::domain::{Connection, MemberId, NoticeId, Status};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct ConnectionRow<'a> {
    pub(super) member_id: &'a str,
    pub(super) connection_id: &'a str,
    pub(super) name: &'a str,
    pub(super) category: Option<&'a str>,
    #[serde(rename = "type")]
    source_type: Option<&'a str>,
    integration_type: Option<&'a str>,
    is_direct: bool,
    pub(super) status: Option<&'a str>,
    pub(super) sync_status: Option<&'a str>,
    sync_errors: &'a [String],
    pub(super) person_mismatch: bool,
}

impl<'a> ConnectionRow<'a> {
    pub(super) fn new(member: &'a MemberId, connection: &'a Connection) -> Self {
        Self {
            member_id: member.as_str(),
            connection_id: connection.id.as_str(),
            name: &connection.source.name,
            category: connection.source.category.as_ref().map(|value| value.as_str()),
            source_type: connection.source.source_type.as_ref().map(|value| value.as_str()),
            integration_type: connection.source.integration_type.as_ref().map(|value| value.as_str()),
            is_direct: connection.source.is_direct,
            status: connection.status.as_ref().map(|value| value.as_str()),
            sync_status: connection.sync_status.as_ref().map(|value| value.as_str()),
            sync_errors: &connection.sync_errors,
            person_mismatch: connection.is_person_mismatch(),
        }
    }
}

/// The result of an operation: the connection, and the link or notice that was created.
#[derive(Serialize)]
struct OperationRow<'a> {
    #[serde(flatten)]
    connection: ConnectionRow<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice_id: Option<&'a str>,
}

pub(super) fn report(
    context: &Context,
    member: &MemberId,
    connection: &Connection,
) -> anyhow::Result<Completion> {
    if context.json {
        return report_json(member, connection, None, None);
    }
    let status = connection.status.as_ref().map_or("without a status", Status::as_str);
    outln!("{}", single_line(&format!("{} of {member} is {status}", connection.id)));
    Ok(Completion::Complete)
}

pub(super) fn report_json(
    member: &MemberId,
    connection: &Connection,
    link: Option<&str>,
    notice: Option<&NoticeId>,
) -> anyhow::Result<Completion> {
    let connection = ConnectionRow::new(member, connection);
    print_json(&OperationRow { connection, link, notice_id: notice.map(NoticeId::as_str) })?;
    Ok(Completion::Complete)
}
