//! The result of an operation on a connection, for a person or as JSON.

use crate::cli::completion::Completion;
use crate::cli::context::Context;
use crate::cli::output::{outln, print_json, single_line};
use crate::domain::{Connection, MemberId, NoticeId, Status};
use crate::rows::{ConnectionRow, OperationRow};

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
