//! An email to one address, simulated or real.

use crate::domain::{NoticeFate, NoticeItem, NoticeKind, NoticeReason, PastNotice, Time};

#[derive(Clone, Debug)]
pub(super) struct ReplayedEmail {
    pub(super) kind: NoticeKind,
    pub(super) sent_at: Time,
    /// `None`: it is a real one.
    pub(super) reason: Option<NoticeReason>,
    /// At least one, in the order of the members.
    pub(super) items: Vec<NoticeItem>,
}

/// The email that was sent. `None`: none was, or its member had requested it.
pub(super) fn real(notice: &PastNotice) -> Option<ReplayedEmail> {
    let NoticeFate::Sent(sent_at) = notice.fate else { return None };
    let items = notice.items.iter().filter(|item| item.is_in_email).map(|item| item.item.clone());
    let items: Vec<_> = items.collect();
    let is_planned = !notice.is_resend && notice.kind != NoticeKind::Invited;
    (is_planned && !items.is_empty()).then_some(ReplayedEmail {
        kind: notice.kind,
        sent_at,
        reason: None,
        items,
    })
}
