use super::time::time;
use crate::domain::AuditRecord;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRow<'a> {
    #[schema(format = DateTime)]
    pub(crate) at: String,
    pub(crate) actor: &'a str,
    pub(crate) action: &'a str,
    pub(crate) member_id: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    /// How many rows were changed or read.
    pub(crate) affected: Option<u64>,
}

impl<'a> From<&'a AuditRecord> for AuditRow<'a> {
    fn from(record: &'a AuditRecord) -> Self {
        Self {
            at: time(record.at),
            actor: &record.actor,
            action: &record.action,
            member_id: record.member_id.as_deref(),
            target: record.target.as_deref(),
            affected: record.affected,
        }
    }
}
