//! A sample of every state of every page, for the check at startup, the previews, and the tests.

use super::page::{Page, ResendOption};
use crate::domain::{Outcome, Outlook, Repair, Snooze, SourceType};
use crate::reconnect::state::{ButtonState, ButtonView};
use chrono::NaiveDate;

/// The path of the samples' link.
pub(super) const BASE: &str = "/r/SAMPLE";
pub(super) const FORM_KEY: &str = "sample-key";

pub(super) fn button(id: &str, name: &str, repair: Repair, state: ButtonState) -> ButtonView {
    ButtonView {
        connection_id: id.into(),
        name: name.to_owned(),
        source_type: Some(SourceType::Clinical),
        repair,
        state,
        can_dismiss: false,
        dismissed_by_member: matches!(
            state,
            ButtonState::Dismissed | ButtonState::Closed(Outcome::Dismissed)
        ),
        outlook: Outlook::default(),
    }
}

fn epic(state: ButtonState) -> ButtonView {
    button("epic", "Epic MyChart", Repair::Oauth, state)
}

const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 12, 2).unwrap();

fn with(snooze: Snooze, view: ButtonView) -> ButtonView {
    ButtonView { outlook: Outlook { snooze, next_email: Some(DAY), in_trouble: false }, ..view }
}

fn in_trouble(view: ButtonView) -> ButtonView {
    let outlook = Outlook { in_trouble: true, next_email: Some(DAY), snooze: Snooze::Unavailable };
    ButtonView { outlook, ..view }
}

/// Each kind needs its words in the labels.
fn nameless() -> Vec<ButtonView> {
    use SourceType::{Clinical, Insurance, Lab, Pharmacy, Practitioner};
    let kinds = [Clinical, Insurance, Lab, Pharmacy, Practitioner].map(Some).into_iter().chain([None]);
    kinds
        .map(|source_type| ButtonView {
            source_type,
            ..button("nameless", "", Repair::Oauth, ButtonState::Available)
        })
        .collect()
}

/// Name and page. The names are unique.
pub(super) fn samples() -> Vec<(&'static str, Page)> {
    use ButtonState::{Available, Closed, Dismissed, Missing, ResumeElsewhere, Superseded, Used};
    let ready = |buttons| Page::Ready { buttons, more: 0, resend: ResendOption::NotNeeded };
    let app = button("basicins", "Basic Insurance", Repair::App, Available);
    let lab = |state| button("lab", "Quest Labs", Repair::Direct, state);
    let off = |view| ButtonView { can_dismiss: true, ..view };
    vec![
        ("root", Page::Root),
        ("ready", ready(vec![epic(Available)])),
        ("ready-snooze", ready(vec![with(Snooze::Offered, epic(Available))])),
        ("ready-disconnected", ready(vec![off(epic(Available))])),
        ("ready-nameless", ready(vec![button("plan", "", Repair::Oauth, Available)])),
        ("ready-nameless-of-each-kind", ready(nameless())),
        ("ready-direct", ready(vec![lab(Available)])),
        ("ready-direct-disconnected", ready(vec![off(lab(Available))])),
        ("ready-app", ready(vec![app.clone()])),
        ("ready-several", ready(vec![epic(Available), off(lab(Available))])),
        ("ready-several-direct", ready(vec![lab(Available), button("rx", "CVS", Repair::Direct, Available)])),
        (
            "ready-several-snoozed",
            ready(vec![
                with(Snooze::Active, epic(Available)),
                with(Snooze::Offered, off(lab(Available))),
                button("rx", "CVS", Repair::Oauth, Available),
            ]),
        ),
        ("ready-several-in-trouble", ready(vec![in_trouble(epic(Available)), in_trouble(lab(Available))])),
        ("ready-one-in-trouble", ready(vec![in_trouble(epic(Available)), lab(Available)])),
        ("ready-one-left", ready(vec![epic(Available), button("rx", "CVS", Repair::Oauth, Missing)])),
        (
            "ready-mixed",
            Page::Ready {
                resend: ResendOption::Offered,
                more: 12,
                buttons: vec![
                    off(epic(Available)),
                    app,
                    lab(Used),
                    button("rx", "CVS", Repair::Oauth, Closed(Outcome::Recovered)),
                    button("old", "Old Clinic", Repair::Oauth, Closed(Outcome::Removed)),
                    button("plan", "", Repair::Oauth, Dismissed),
                    button("eye", "Eye Clinic", Repair::Oauth, ResumeElsewhere),
                ],
            },
        ),
        (
            "ready-nothing-waits",
            Page::Ready {
                resend: ResendOption::Resubscribe,
                more: 0,
                buttons: vec![epic(Superseded), button("rx", "CVS", Repair::Oauth, Dismissed)],
            },
        ),
        ("snoozed", Page::Snoozed { button: with(Snooze::Active, epic(Available)), until: DAY }),
        ("snoozed-direct", Page::Snoozed { button: with(Snooze::Active, off(lab(Available))), until: DAY }),
        ("in-trouble", Page::InTrouble { button: in_trouble(epic(Available)) }),
        (
            "in-trouble-without-email",
            Page::InTrouble {
                button: ButtonView {
                    outlook: Outlook { in_trouble: true, ..Outlook::default() },
                    ..button("plan", "", Repair::Oauth, Available)
                },
            },
        ),
        ("used", Page::Used { resumable: Vec::new(), resend: ResendOption::Offered }),
        ("used-unsubscribed", Page::Used { resumable: Vec::new(), resend: ResendOption::Resubscribe }),
        (
            "used-resumable",
            Page::Used { resumable: vec![epic(ResumeElsewhere)], resend: ResendOption::Offered },
        ),
        ("expired", Page::Expired { resend: ResendOption::Offered }),
        ("expired-unsubscribed", Page::Expired { resend: ResendOption::Resubscribe }),
        ("replaced", Page::Replaced),
        ("confirm", Page::ConfirmDirect { connection: "lab".into(), token: "1.sample".to_owned() }),
        ("missing", Page::Missing),
        ("removed", Page::Removed),
        ("recovered", Page::Recovered),
        ("dismissed", Page::Dismissed { buttons: vec![epic(Dismissed)] }),
        (
            "dismissed-by-operator",
            Page::Dismissed { buttons: vec![ButtonView { dismissed_by_member: false, ..epic(Dismissed) }] },
        ),
        ("dismissed-over", Page::Dismissed { buttons: vec![epic(Closed(Outcome::Dismissed))] }),
        ("link-not-found", Page::LinkNotFound),
        ("gateway-down", Page::GatewayDown { retry_minutes: 5 }),
        ("gateway-down-briefly", Page::GatewayDown { retry_minutes: 1 }),
        ("repair-unavailable", Page::RepairUnavailable),
        ("bad-request", Page::BadRequest),
        ("too-many-requests", Page::TooManyRequests),
        ("busy", Page::Busy),
        ("needs-app", Page::NeedsApp),
        ("resend-requested", Page::ResendRequested),
        ("email-on-its-way", Page::EmailOnItsWay),
        ("resend-unavailable", Page::ResendUnavailable),
        ("signed-in", Page::OauthReturn { success: true }),
        ("sign-in-failed", Page::OauthReturn { success: false }),
        ("unsubscribe", Page::Unsubscribe),
        ("unsubscribed", Page::Unsubscribed { can_resubscribe: true }),
        ("unsubscribed-by-operator", Page::Unsubscribed { can_resubscribe: false }),
        ("resubscribed", Page::Resubscribed),
        ("failed", Page::Failed),
    ]
}
