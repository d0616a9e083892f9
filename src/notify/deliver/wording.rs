//! Which words an email needs.

use crate::domain::{NoticeItem, Repair, Status};
use crate::mail::{ConnectionLabel, Template, Urgency};
use crate::notify::plan::Policy;
use crate::store::StoredConnection;

/// The template for an email to so many members about these items.
pub(super) fn template<'a>(
    members: usize,
    mut items: impl Iterator<Item = (&'a NoticeItem, &'a StoredConnection)>,
) -> Template {
    if members > 1 {
        return Template::Shared;
    }
    let (Some((item, connection)), None) = (items.next(), items.next()) else { return Template::Several };
    match item.step {
        0 if connection.connection.status == Some(Status::Disconnected) => Template::Disconnected,
        0 => Template::Expired,
        _ => Template::Reminder,
    }
}

pub(super) fn urgency<'a>(
    policy: &Policy,
    items: impl Iterator<Item = (&'a NoticeItem, &'a StoredConnection)>,
) -> Urgency {
    let mut urgency = Urgency::LastReminder;
    for (item, connection) in items {
        let status = connection.connection.status.as_ref();
        let reminders = status.and_then(|status| policy.for_status(status)).map_or(0, |p| p.reminders.len());
        if item.step == 0 {
            return Urgency::First;
        }
        if (item.step as usize) < reminders {
            urgency = Urgency::Reminder;
        }
    }
    urgency
}

pub(super) fn label(connection: &StoredConnection) -> ConnectionLabel {
    ConnectionLabel {
        name: connection.connection.source.name.clone(),
        source_type: connection.connection.source.source_type.clone(),
        needs_sign_in: connection.repair() == Repair::Oauth,
    }
}
