//! The emails that read differently: each purpose with each urgency that changes its wording.

use super::notice::{Template, Urgency};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailKind {
    /// Its name in `notices preview`.
    pub name: &'static str,
    pub template: Template,
    pub urgency: Urgency,
}

impl EmailKind {
    pub const ALL: &[Self] = &[
        Self::first("expired", Template::Expired),
        Self::first("disconnected", Template::Disconnected),
        Self::first("several", Template::Several),
        Self::reminder("several_reminder", Template::Several),
        Self::last("several_last_reminder", Template::Several),
        Self::first("shared", Template::Shared),
        Self::reminder("shared_reminder", Template::Shared),
        Self::last("shared_last_reminder", Template::Shared),
        Self::reminder("reminder", Template::Reminder),
        Self::last("last_reminder", Template::Reminder),
        Self::first("invited", Template::Invited),
        Self::first("recovered", Template::Recovered),
    ];

    const fn first(name: &'static str, template: Template) -> Self {
        Self { name, template, urgency: Urgency::First }
    }

    const fn reminder(name: &'static str, template: Template) -> Self {
        Self { name, template, urgency: Urgency::Reminder }
    }

    const fn last(name: &'static str, template: Template) -> Self {
        Self { name, template, urgency: Urgency::LastReminder }
    }
}
