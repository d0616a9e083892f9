//! What happened, in sentences for an operator. They name no address, no URL, and no token, and quote no text from outside.

use crate::domain::{
    ChangeReason, DecisionSubject, Event, HistoryEntry, HoldKind, HoldScope, LapseEvent, NoticeKind,
    NoticeReason, Outcome, Status, Suppression, Time,
};
use chrono::SecondsFormat;

/// What a reason does to an email.
#[derive(Clone, Copy, PartialEq)]
enum Effect {
    Sends,
    Defers,
    Holds,
    Stops,
}

pub(super) fn sentence(entry: &HistoryEntry) -> String {
    match &entry.event {
        Event::Transition { from, to, reason } => transition(from.as_ref(), to, *reason),
        Event::Lapse(event) => lapse(*event),
        Event::Decision { subject: DecisionSubject::Lapse, reason, not_before } => {
            choice(*reason, *not_before)
        }
        Event::Decision { subject: DecisionSubject::Notice, reason, not_before } => {
            decision(*reason, *not_before, entry.notice_id.is_some())
        }
        Event::Delivery { kind, step, is_resend, connections, outcome, reason } => {
            let email = email(*kind, *step, *is_resend);
            let about =
                if *connections > 1 { format!(" about {connections} connections") } else { String::new() };
            delivery(&format!("{email}{about}"), outcome.as_deref(), *reason)
        }
        Event::LinkOpened => "A person opened the page of the link.".to_owned(),
        Event::LinkRevoked => "The link was revoked and works no more.".to_owned(),
        Event::Redeemed => "The member pressed the button of the link to reconnect.".to_owned(),
        Event::Hold { kind, scope, until, ended_at } => hold(*kind, scope, *until, *ended_at),
        Event::Paused => "The member is paused: neither polled nor emailed.".to_owned(),
        Event::Removed => "The member was removed: neither polled nor emailed.".to_owned(),
        Event::Suppressed(Suppression::Unsubscribed) => {
            "The member's address unsubscribed and gets no email.".to_owned()
        }
        Event::Suppressed(Suppression::Operator) => {
            "The operator suppressed the member's address, which gets no email.".to_owned()
        }
        Event::Suppressed(Suppression::HardBounce) => {
            "Email to the member's address was rejected permanently, so it gets no more.".to_owned()
        }
        Event::Suppressed(Suppression::Complaint) => {
            "Email to the member's address was reported as spam, so it gets no more.".to_owned()
        }
        Event::CredentialFailed { state } => format!(
            "The member's credential is {state}, so the connections are not watched until it works again."
        ),
    }
}

/// RFC 3339 in UTC, with seconds.
pub(super) fn instant(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn status(status: &Status) -> &str {
    match status {
        Status::Unknown(_) => "a status that this version does not know",
        known => known.as_str(),
    }
}

fn transition(from: Option<&Status>, to: &Status, reason: Option<ChangeReason>) -> String {
    let change = match from {
        None => format!("The gateway listed the connection for the first time, as {}", status(to)),
        Some(from) => format!("The status changed from {} to {}", status(from), status(to)),
    };
    match reason.and_then(consequence) {
        Some(consequence) => format!("{change}: {consequence}."),
        None => format!("{change}."),
    }
}

fn consequence(reason: ChangeReason) -> Option<&'static str> {
    Some(match reason {
        ChangeReason::FirstSeen | ChangeReason::StatusChanged => return None,
        ChangeReason::UnknownStatus => "nothing follows from it",
        ChangeReason::Suspected => "a lapse is suspected until more responses confirm it",
        ChangeReason::Resumed => {
            "it broke again soon after it recovered, so its old lapse goes on if this is confirmed"
        }
        ChangeReason::Unconfirmed => "this is not confirmed yet",
        ChangeReason::Confirmed => "the lapse is confirmed",
        ChangeReason::PreviouslyDismissed => "it was disconnected on purpose, so no lapse begins",
        ChangeReason::DismissalEnded => "it is connected again, so the next break counts",
        ChangeReason::Recovered => "the connection recovered",
        ChangeReason::SuspicionCleared => "the break was never confirmed, so there was no lapse",
        ChangeReason::Deleted => "the connection was removed",
        ChangeReason::MissingFromList => "the gateway lists the connection no more",
        ChangeReason::DisconnectObserved => "this is what the operator requested",
    })
}

fn lapse(event: LapseEvent) -> String {
    match event {
        LapseEvent::Suspected { is_confirmed: true } => "A break was observed.".to_owned(),
        LapseEvent::Suspected { is_confirmed: false } => {
            "A break was observed. It is not confirmed yet, so no email is planned.".to_owned()
        }
        LapseEvent::Opened => "The break is confirmed: the lapse is open.".to_owned(),
        LapseEvent::Resumed { is_confirmed: true } => {
            "The connection broke again soon after it recovered: its old lapse and reminders go on."
                .to_owned()
        }
        LapseEvent::Resumed { is_confirmed: false } => {
            "The connection broke again soon after it recovered. This is not confirmed yet.".to_owned()
        }
        LapseEvent::WaitsForSweep => {
            "The sweep that found the break is under way. Email about it is decided when the sweep ends."
                .to_owned()
        }
        LapseEvent::Closed { outcome, is_by_member, emails, was_in_patience } => {
            closed(outcome, is_by_member, emails, was_in_patience)
        }
    }
}

fn closed(outcome: Outcome, is_by_member: bool, emails: u64, was_in_patience: bool) -> String {
    let sent = match emails {
        0 => "no email was sent".to_owned(),
        1 => "one email was sent".to_owned(),
        _ => format!("{emails} emails were sent"),
    };
    let end = match outcome {
        Outcome::Recovered if emails == 0 && was_in_patience => {
            "The connection recovered by itself within the patience"
        }
        Outcome::Recovered if emails == 0 => "The connection recovered by itself",
        Outcome::Recovered => "The connection recovered",
        Outcome::Removed => "The lapse ended because the connection or the member was removed",
        Outcome::Dismissed if is_by_member => "The member disconnected on purpose, so the lapse ended",
        Outcome::Dismissed => "The operator disconnected on purpose, so the lapse ended",
    };
    format!("{end}; {sent}.")
}

/// What the member chose on the page.
fn choice(reason: Option<NoticeReason>, not_before: Option<Time>) -> String {
    match (reason, not_before) {
        (Some(NoticeReason::Snoozed), Some(until)) => {
            format!("The member asked for no reminder before {}.", instant(until))
        }
        (Some(NoticeReason::SnoozeUndone), _) => {
            "The member no longer wants to wait: reminders come as usual.".to_owned()
        }
        (Some(NoticeReason::Dismissed), _) => {
            "The member disconnected on purpose, so the lapse ended. No email until the \
             connection has been CONNECTED again."
                .to_owned()
        }
        (Some(NoticeReason::DismissalUndone), _) => {
            "The member took it back that this was on purpose: the lapse is open again.".to_owned()
        }
        (Some(reason), _) => format!("The member decided: {}.", meaning(reason)),
        (None, _) => "The member decided something that this version does not know.".to_owned(),
    }
}

fn decision(reason: Option<NoticeReason>, not_before: Option<Time>, has_notice: bool) -> String {
    let Some(reason) = reason else {
        return "An email was decided about, for a reason that this version does not know.".to_owned();
    };
    let meaning = meaning(reason);
    let time = not_before.map(instant);
    match (effect(reason), time) {
        (Effect::Sends, None) => format!("An email goes out now: {meaning}."),
        (Effect::Sends, Some(time)) => format!("The next email goes out at {time} or later: {meaning}."),
        (Effect::Defers, Some(time)) => format!("The next email waits until {time}: {meaning}."),
        (Effect::Defers, None) => format!("The next email waits: {meaning}."),
        (Effect::Holds, _) => {
            format!("The next email is held: {meaning}. It is decided again when the hold ends.")
        }
        (Effect::Stops, _) if has_notice => format!("The unsent email was cancelled: {meaning}."),
        (Effect::Stops, _) => format!("No email is planned: {meaning}."),
    }
}

/// The email, as part of a sentence.
pub(super) fn email(kind: NoticeKind, step: u32, is_resend: bool) -> String {
    match (kind, step) {
        (NoticeKind::Invited, _) => "the invitation".to_owned(),
        (NoticeKind::Recovered, _) => "the email about the recovery".to_owned(),
        (NoticeKind::Reconnect, _) if is_resend => "the new link that the member requested".to_owned(),
        (NoticeKind::Reconnect, 0) => "the first email".to_owned(),
        (NoticeKind::Reconnect, step) => format!("reminder {step}"),
    }
}

fn delivery(email: &str, outcome: Option<&str>, reason: Option<NoticeReason>) -> String {
    let because = reason.map_or(String::new(), |reason| format!(": {}", meaning(reason)));
    match outcome {
        None => format!("An attempt to send {email} began and has no result yet."),
        Some("sent") => format!("The mail server accepted {email}."),
        Some("retry") => format!("An attempt to send {email} failed and is repeated{because}."),
        Some("deferred") => format!("An attempt to send {email} has to wait{because}."),
        Some("abandoned") => format!("Sending {email} was given up{because}."),
        Some("unknown") => format!("Whether {email} arrived is unknown{because}."),
        Some("cancelled") => format!("Just before it was sent, {email} was cancelled{because}."),
        Some("interrupted") => format!("An attempt to send {email} was interrupted{because}."),
        Some(_) => format!("An attempt to send {email} ended{because}."),
    }
}

fn hold(kind: HoldKind, scope: &HoldScope, until: Option<Time>, ended_at: Option<Time>) -> String {
    let by = match kind {
        HoldKind::Operator => "The operator",
        HoldKind::Storm => "The storm brake",
    };
    let to = if scope.member_id.is_some() { " to this member" } else { "" };
    let about = match (&scope.source, &scope.status) {
        (None, None) => String::new(),
        (Some(_), None) => " about this source".to_owned(),
        (None, Some(of)) => format!(" about {} connections", status(of)),
        (Some(_), Some(of)) => format!(" about this source while {}", status(of)),
    };
    let end = match (ended_at, until) {
        (Some(ended_at), _) => format!("The hold ended at {}.", instant(ended_at)),
        (None, Some(until)) => format!("The hold ends at {} or when it is released.", instant(until)),
        (None, None) if kind == HoldKind::Storm => "The hold has not ended.".to_owned(),
        (None, None) => "The hold lasts until it is released.".to_owned(),
    };
    format!("{by} held back all email{to}{about}. {end}")
}

fn effect(reason: NoticeReason) -> Effect {
    use NoticeReason as R;
    match reason {
        R::FirstNotice
        | R::Reminder
        | R::Digest
        | R::Resumed
        | R::RecoveryNotice
        | R::Resend
        | R::Invitation
        | R::RetryRequested
        | R::Accepted => Effect::Sends,
        R::FirstAfter
        | R::Snoozed
        | R::MinGap
        | R::MonthCap
        | R::QuietHours
        | R::TokenUnavailable
        | R::SecondLookUnclear
        | R::OauthUrlUnavailable
        | R::OauthUrlRefused
        | R::RenderFailed
        | R::SmtpMisconfigured
        | R::AddressChanged
        | R::MailServerBusy
        | R::MailServerUnreachable
        | R::ReceiverFailing
        | R::TransientFailure
        | R::OutcomeUnknown
        | R::Interrupted => Effect::Defers,
        R::HeldByOperator | R::HeldByStorm => Effect::Holds,
        R::Paused
        | R::Suppressed
        | R::ConnectionMissing
        | R::StatusNotActionable
        | R::StatusDisabled
        | R::NotRepairable
        | R::AlreadyQueued
        | R::DeliveryAbandoned
        | R::CadenceEnded
        | R::RecoveriesDisabled
        | R::NotConnected
        | R::PersonMismatch
        | R::NeverNotified
        | R::AlreadyNotified
        | R::DismissalUndone
        | R::SnoozeUndone
        | R::Recovered
        | R::Removed
        | R::Dismissed
        | R::LapseClosed
        | R::InvitationWithdrawn
        | R::MemberRemoved
        | R::NoLongerNeeded
        | R::PermanentFailure
        | R::AttemptsExhausted
        | R::NeverConfirmed => Effect::Stops,
    }
}

/// The end of a sentence.
pub(super) fn meaning(reason: NoticeReason) -> &'static str {
    use NoticeReason as R;
    match reason {
        R::FirstNotice => "it is the first one about the lapse",
        R::Reminder => "it is a reminder",
        R::Digest => "the connection becomes part of an email that goes out now",
        R::Resumed => "the connection broke again after the last reminder, so one more email follows",
        R::FirstAfter => "the connection may recover by itself",
        R::Snoozed => "the member wants to be reminded later",
        R::MinGap => "the address got an email a short time ago",
        R::MonthCap => "the address got as many emails as it may within 30 days",
        R::QuietHours => "it is night where the member is",
        R::HeldByOperator => "a hold of the operator covers it",
        R::HeldByStorm => "many connections broke at once, and the storm brake holds email about them",
        R::RecoveryNotice => "it announces the recovery",
        R::Resend => "the member requested a new link",
        R::Invitation => "the operator invited the member to connect a source",
        R::RetryRequested => "the operator requested another attempt",
        R::Paused => "the member is paused",
        R::Suppressed => "the address is suppressed",
        R::ConnectionMissing => "the last response left out the connection",
        R::StatusNotActionable => "the connection is neither EXPIRED nor DISCONNECTED",
        R::StatusDisabled => "the configuration turns off email about this status",
        R::NotRepairable => "only an app can repair the connection, and `notices.app_url` is empty",
        R::AlreadyQueued => "another email about the connection is being delivered",
        R::DeliveryAbandoned => "an earlier email was given up; see `reconnectd notices list`",
        R::CadenceEnded => "the last reminder was sent",
        R::RecoveriesDisabled => "the configuration turns off email about recoveries",
        R::NotConnected => "the connection does not work again",
        R::PersonMismatch => "the connection probably works with another person's records",
        R::NeverNotified => "no email about the lapse was sent",
        R::AlreadyNotified => "the recovery was announced before",
        R::Accepted => "the mail server, or your receiver at webhook.url, accepted it",
        R::TokenUnavailable => "there is no access token for the member at the moment",
        R::SecondLookUnclear => "the gateway gave no usable response just before the email was sent",
        R::OauthUrlUnavailable => "the gateway cannot offer to reconnect at the moment",
        R::OauthUrlRefused => "the gateway refuses to reconnect, or leads to a host that is not allowed",
        R::RenderFailed => "the email could not be rendered",
        R::SmtpMisconfigured => "the mail server refuses the login, the client's name, or the sender",
        R::AddressChanged => "the member's address changed meanwhile",
        R::MailServerBusy => "the mail server takes no email at the moment",
        R::MailServerUnreachable => "the mail server cannot be reached",
        R::ReceiverFailing => "your receiver at webhook.url confirms nothing at the moment",
        R::TransientFailure => "the mail server refused it for the moment",
        R::OutcomeUnknown => "the mail server may have accepted it before the session broke",
        R::Interrupted => "the daemon ended, or took too long",
        R::DismissalUndone => "the member took back a dismissal",
        R::SnoozeUndone => "the member ended a snooze",
        R::Recovered => "the connection recovered",
        R::Removed => "the connection was removed",
        R::Dismissed => "the connection was disconnected on purpose",
        R::LapseClosed => "the lapse has ended",
        R::InvitationWithdrawn => "the invitation was withdrawn",
        R::MemberRemoved => "the member was removed",
        R::NoLongerNeeded => "it was no longer needed",
        R::PermanentFailure => "the mail server rejects the address",
        R::AttemptsExhausted => "too many attempts failed",
        R::NeverConfirmed => "too many attempts had an unknown outcome",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{HistoryCode, HistoryKind};

    #[test]
    fn the_readme_has_a_row_for_each_code_and_kind() {
        let readme = include_str!("../../README.md");
        let codes = NoticeReason::ALL.iter().map(|code| code.as_str());
        let codes = codes.chain(ChangeReason::ALL.iter().map(|code| code.as_str()));
        let codes = codes.chain(HistoryCode::ALL.iter().map(|code| code.as_str()));
        let codes = codes.chain(HistoryKind::ALL.iter().map(|kind| kind.as_str()));
        let codes = codes.chain(Outcome::ALL.iter().map(|outcome| outcome.as_str()));
        let codes = codes.chain(Suppression::ALL.iter().map(|reason| reason.as_str()));
        let first_cells: Vec<&str> = readme
            .lines()
            .filter(|line| line.starts_with("| `"))
            .filter_map(|line| line.split('|').nth(1))
            .collect();
        let missing: Vec<&str> = codes
            .filter(|code| !first_cells.iter().any(|cell| cell.contains(&format!("`{code}`"))))
            .collect();
        assert!(missing.is_empty(), "explain these codes in the README: {missing:?}");
        let has_advice = |code: &str| {
            readme.lines().any(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                matches!(cells.as_slice(), ["", first, meaning, advice, ""]
                    if *first == format!("`{code}`") && !meaning.is_empty() && !advice.is_empty())
            })
        };
        let without: Vec<_> =
            NoticeReason::ALL.iter().map(|code| code.as_str()).filter(|code| !has_advice(code)).collect();
        assert!(without.is_empty(), "say in the README what to do about these codes: {without:?}");
    }
}
