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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Category, Connection, Source};
    use crate::notify::plan::tests::policy;

    fn connection(status: Status, category: Category) -> StoredConnection {
        let source = Source { category: Some(category), ..Source::default() };
        StoredConnection {
            member_id: "ada".into(),
            connection: Connection {
                id: "epic".into(),
                source,
                status: Some(status),
                sync_status: None,
                sync_errors: Vec::new(),
                last_synced: None,
            },
            gateway_id: "epic".into(),
            is_missing: false,
        }
    }

    fn item(step: u32) -> NoticeItem {
        NoticeItem { member_id: "ada".into(), lapse_id: "lapse".into(), connection_id: "epic".into(), step }
    }

    #[test]
    fn an_email_says_what_happened_and_whether_another_follows() {
        use Status::{Disconnected, Expired};
        #[rustfmt::skip]
        let cases = [
            (vec![(Expired, 0)], Template::Expired, Urgency::First),
            (vec![(Disconnected, 0)], Template::Disconnected, Urgency::First),
            (vec![(Expired, 1)], Template::Reminder, Urgency::Reminder),
            (vec![(Expired, 2)], Template::Reminder, Urgency::LastReminder),
            (vec![(Expired, 3)], Template::Reminder, Urgency::LastReminder),
            (vec![(Disconnected, 1)], Template::Reminder, Urgency::LastReminder),
            (vec![(Expired, 2), (Expired, 1)], Template::Several, Urgency::Reminder),
            (vec![(Expired, 1), (Expired, 0)], Template::Several, Urgency::First),
        ];
        for (about, expected, urgency_expected) in cases {
            let row =
                |(status, step): &(Status, u32)| (item(*step), connection(status.clone(), Category::Oauth));
            let rows: Vec<_> = about.iter().map(row).collect();
            let items = || rows.iter().map(|(item, connection)| (item, connection));
            let words = (template(1, items()), urgency(&policy(), items()));
            assert_eq!(words, (expected, urgency_expected), "{about:?}");
            assert_eq!(template(2, items()), Template::Shared);
        }
    }

    #[test]
    fn only_an_oauth_source_is_said_to_need_a_sign_in() {
        for (category, expected) in [(Category::Oauth, true), ("OTHER".into(), false)] {
            assert_eq!(label(&connection(Status::Expired, category)).needs_sign_in, expected);
        }
    }
}
