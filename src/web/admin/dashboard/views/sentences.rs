//! One sentence of state per connection of a member. Pure.

use super::super::fault::{self, Fault};
use super::super::format::{ago, count};
use crate::domain::{Connection, LapseState, Status, Time};
use crate::store::LiveLapse;

/// A connection, and whose its failure is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) sentence: String,
    pub(super) fault: Option<Fault>,
}

/// `is_missing`: the last response left it out.
pub(super) fn state(
    connection: &Connection,
    is_missing: bool,
    lapse: Option<&LiveLapse>,
    now: Time,
) -> State {
    let name =
        if connection.source.name.is_empty() { connection.id.as_str() } else { &connection.source.name };
    let synced =
        connection.last_synced.map_or(String::new(), |at| format!(" Records last arrived {}.", ago(at, now)));
    if is_missing {
        let sentence = format!("The gateway's last response left {name} out, which is not confirmed yet.");
        return State { sentence, fault: Some(Fault::Gateway) };
    }
    if connection.is_person_mismatch() {
        let sentence = format!("{name} works, but its records seem to belong to another person.{synced}");
        return State { sentence, fault: Some(Fault::Source) };
    }
    let Some(status) = &connection.status else {
        return State {
            sentence: format!("The gateway reports no status for {name}."),
            fault: Some(Fault::Gateway),
        };
    };
    let fault = fault::of_status(status);
    let sentence = match status {
        Status::Connected => format!("{name} works.{synced}"),
        Status::Expired => {
            broken(&format!("{name} has stopped: the member's sign-in there has expired"), lapse, now)
        }
        Status::Disconnected => broken(&format!("{name} was turned off"), lapse, now),
        Status::Deleted => format!("{name} was removed."),
        Status::AccessEnded => {
            format!("The source has ended the access of {name}; the member cannot repair it.")
        }
        Status::Error => {
            format!("The gateway cannot use {name} at the moment; the member cannot repair it.{synced}")
        }
        Status::Unknown(status) => format!("{name} has a status that this version does not know: {status}."),
    };
    State { sentence, fault }
}

fn broken(what: &str, lapse: Option<&LiveLapse>, now: Time) -> String {
    let Some(LiveLapse { lapse, emails, last_email_at }) = lapse else {
        return format!(
            "{what}. Nothing is to be done about it: it was dismissed, or disconnected on purpose."
        );
    };
    if lapse.state == LapseState::Suspected {
        return format!(
            "{what}, first seen {}. The next responses confirm it, or not.",
            ago(lapse.suspected_at, now)
        );
    }
    let emails = match last_email_at {
        None => "No email about it was sent.".to_owned(),
        Some(at) => {
            format!("The member got {} about it, the last one {}.", count(*emails, "email"), ago(*at, now))
        }
    };
    format!("{what}, first seen {}. {emails}", ago(lapse.suspected_at, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Lapse, Source};
    use chrono::TimeDelta;

    fn connection(status: Option<Status>) -> Connection {
        Connection {
            id: "epic".into(),
            source: Source {
                name: "Epic MyChart".into(),
                category: None,
                source_type: None,
                integration_type: None,
                is_direct: false,
            },
            status,
            sync_status: None,
            sync_errors: Vec::new(),
            last_synced: Some(Time::UNIX_EPOCH),
        }
    }

    fn lapse(state: LapseState, emails: u64) -> LiveLapse {
        LiveLapse {
            lapse: Lapse {
                id: "l1".into(),
                member_id: "m1".into(),
                connection_id: "epic".into(),
                state,
                outcome: None,
                suspected_at: Time::UNIX_EPOCH,
                consecutive_observations: 2,
                opened_at: None,
                closed_at: None,
                disconnect_intent: None,
            },
            emails,
            last_email_at: (emails > 0).then_some(Time::UNIX_EPOCH + TimeDelta::hours(6)),
        }
    }

    #[test]
    fn each_connection_has_a_sentence_and_each_failure_an_owner() {
        let now = Time::UNIX_EPOCH + TimeDelta::days(3);
        let (open, suspected) = (lapse(LapseState::Open, 2), lapse(LapseState::Suspected, 0));
        for (status, lapse, sentence, fault) in [
            (Some(Status::Connected), None, "Epic MyChart works. Records last arrived 3 days ago.", None),
            (
                Some(Status::Expired),
                Some(&open),
                "Epic MyChart has stopped: the member's sign-in there has expired, first seen 3 days ago. The member got 2 \
                 emails about it, the last one 2 days ago.",
                Some(Fault::Member),
            ),
            (
                Some(Status::Disconnected),
                Some(&suspected),
                "Epic MyChart was turned off, first seen 3 days ago. The next responses confirm it, or not.",
                Some(Fault::Member),
            ),
            (
                Some(Status::Disconnected),
                None,
                "Epic MyChart was turned off. Nothing is to be done about it: it was dismissed, or disconnected on purpose.",
                Some(Fault::Member),
            ),
            (
                Some(Status::AccessEnded),
                None,
                "The source has ended the access of Epic MyChart; the member cannot repair it.",
                Some(Fault::Source),
            ),
            (None, None, "The gateway reports no status for Epic MyChart.", Some(Fault::Gateway)),
        ] {
            let expected = State { sentence: sentence.to_owned(), fault };
            assert_eq!(state(&connection(status), false, lapse, now), expected);
        }
        let missing = state(&connection(Some(Status::Connected)), true, None, now);
        assert_eq!(missing.fault, Some(Fault::Gateway));
        let mismatch = Connection {
            sync_errors: vec!["PERSON_MATCHING_ERROR".into()],
            ..connection(Some(Status::Connected))
        };
        assert_eq!(state(&mismatch, false, None, now).fault, Some(Fault::Source));
    }
}
