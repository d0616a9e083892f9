use crate::domain::{Connection, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectionRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) connection_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) category: Option<&'a str>,
    #[serde(rename = "type")]
    pub(crate) source_type: Option<&'a str>,
    pub(crate) integration_type: Option<&'a str>,
    pub(crate) is_direct: bool,
    pub(crate) status: Option<&'a str>,
    pub(crate) sync_status: Option<&'a str>,
    pub(crate) sync_errors: &'a [String],
    pub(crate) person_mismatch: bool,
}

impl<'a> ConnectionRow<'a> {
    pub(crate) fn new(member: &'a MemberId, connection: &'a Connection) -> Self {
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
pub(crate) struct OperationRow<'a> {
    #[serde(flatten)]
    pub(crate) connection: ConnectionRow<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notice_id: Option<&'a str>,
}
