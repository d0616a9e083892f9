//! Properties of every sequence of responses.

use super::Policy;
use super::world::{World, connection};
use crate::domain::{Change, ChangeReason, ConnectionState, Decision, LapseChange};
use crate::domain::{Connection, LapseState, Outcome, Status};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const IDS: [&str; 2] = ["epic", "labcorp"];

/// The observation of one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Missing,
    Silent,
    Status(&'static str),
}

#[derive(Clone, Debug)]
enum Event {
    Answer([Said; 2]),
    Dismiss,
    Pass(TimeDelta),
}

fn said() -> impl Strategy<Value = Said> {
    let rest = ["ERROR", "ACCESS_ENDED", "DELETED", "PAUSED"];
    prop_oneof![
        6 => prop::sample::select(&["EXPIRED", "DISCONNECTED"][..]).prop_map(Said::Status),
        3 => Just(Said::Status("CONNECTED")),
        3 => prop::sample::select(rest.to_vec()).prop_map(Said::Status),
        1 => Just(Said::Missing),
        1 => Just(Said::Silent),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => [said(), said()].prop_map(Event::Answer),
        1 => Just(Event::Dismiss),
        2 => (0_i64..200).prop_map(|hours| Event::Pass(TimeDelta::hours(hours))),
    ];
    prop::collection::vec(event, 0..40)
}

fn policies() -> impl Strategy<Value = Policy> {
    (1_u32..4, 0_i64..3, 0_i64..8).prop_map(|(confirm_sweeps, hours, days)| Policy {
        confirm_sweeps,
        confirm_after: TimeDelta::hours(hours),
        flap_window: TimeDelta::days(days),
        recheck_after: TimeDelta::minutes(30),
    })
}

fn rows(answer: &[Said; 2]) -> Vec<Connection> {
    let row = |(id, said): (&&str, &Said)| match *said {
        Said::Missing => None,
        Said::Silent => Some(connection(id, None)),
        Said::Status(status) => Some(connection(id, Some(status))),
    };
    IDS.iter().zip(answer).filter_map(row).collect()
}

fn is_broken(said: Said) -> bool {
    matches!(said, Said::Status("EXPIRED" | "DISCONNECTED"))
}

/// Whether a response neither extends nor ends a streak of breaks.
fn is_mute(said: Said) -> bool {
    matches!(said, Said::Silent | Said::Missing | Said::Status("PAUSED"))
}

/// Plays the events and checks the world after each response.
fn play(
    policy: Policy,
    events: &[Event],
    mut look: impl FnMut(&World, &[Said; 2], &Decision) -> Result<(), TestCaseError>,
) -> Result<World, TestCaseError> {
    let mut world = World::new(policy);
    for event in events {
        match event {
            Event::Dismiss => world.dismiss(),
            Event::Pass(time) => world.now += *time,
            Event::Answer(answer) => {
                let decision = world.answer(&rows(answer));
                look(&world, answer, &decision)?;
                world.now += TimeDelta::minutes(15);
            }
        }
    }
    Ok(world)
}

proptest! {
    #[test]
    fn a_lapse_opens_only_after_as_many_broken_answers_in_a_row_as_the_policy_asks(
        policy in policies(), events in events()
    ) {
        let mut streaks = [0; 2];
        play(policy, &events, |world, answer, decision| {
            for change in &decision.changes {
                prop_assert_eq!(change.lapse.is_to_open(), change.reason == ChangeReason::Confirmed);
            }
            for ((id, streak), said) in IDS.iter().zip(&mut streaks).zip(answer) {
                *streak = if is_broken(*said) { *streak + 1 } else if is_mute(*said) { *streak } else { 0 };
                let opened = decision.changes.iter().any(|change| {
                    change.connection_id.as_str() == *id && change.reason == ChangeReason::Confirmed
                });
                prop_assert!(!opened || (is_broken(*said) && *streak >= world.policy.confirm_sweeps));
            }
            Ok(())
        })?;
    }

    #[test]
    fn transitions_chain_and_end_in_what_the_answer_says(policy in policies(), events in events()) {
        let world = play(policy, &events, |world, answer, _| {
            for (id, said) in IDS.iter().zip(answer) {
                let known = world.statuses.get(&(*id).into());
                match *said {
                    Said::Status(status) => prop_assert_eq!(known, Some(&Status::from(status))),
                    Said::Missing => {
                        let gone = known.is_none_or(|known| *known == Status::Deleted);
                        prop_assert!(gone || world.missing.contains_key(&(*id).into()));
                    }
                    Said::Silent => {}
                }
            }
            Ok(())
        })?;
        let mut last = BTreeMap::new();
        for (id, from, to) in &world.transitions {
            prop_assert_eq!(last.insert(id, to), from.as_ref());
            prop_assert_ne!(from.as_ref(), Some(to));
        }
    }

    #[test]
    fn what_is_connected_or_gone_has_no_live_lapse(policy in policies(), events in events()) {
        play(policy, &events, |world, _, _| {
            for known in world.known() {
                let live = known.lapse.is_some_and(|lapse| lapse.state != LapseState::Closed);
                let done = matches!(known.status, Some(Status::Connected | Status::Deleted));
                prop_assert!(!(live && done));
            }
            Ok(())
        })?;
    }

    #[test]
    fn only_the_newest_lapse_of_a_connection_is_ever_live_and_every_row_makes_sense(
        policy in policies(), events in events()
    ) {
        play(policy, &events, |world, _, _| {
            for (at, lapse) in world.lapses.iter().enumerate() {
                let newest = world.lapses[at + 1..].iter().all(|l| l.connection_id != lapse.connection_id);
                let closed = (lapse.opened_at.is_some(), lapse.outcome.is_some(), lapse.closed_at.is_some());
                match lapse.state {
                    LapseState::Closed => prop_assert_eq!(closed, (true, true, true)),
                    LapseState::Open => prop_assert_eq!((newest, closed), (true, (true, false, false))),
                    LapseState::Suspected => {
                        prop_assert!(newest);
                        prop_assert!(closed == (false, false, false) || closed == (true, true, true));
                        prop_assert_ne!(lapse.outcome, Some(Outcome::Dismissed));
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_same_answer_again_moves_no_status_and_means_nothing_without_a_suspicion(
        policy in policies(), events in events()
    ) {
        play(policy, &events, |world, answer, decision| {
            let again = world.decide(&rows(answer));
            let missing_from_list = |change: &&Change| change.reason == ChangeReason::MissingFromList;
            prop_assert!(again.changes.iter().filter(|c| !missing_from_list(c)).all(|c| c.transition.is_none()));
            prop_assert!(decision.recheck_at.is_some() || again.changes.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn a_look_is_asked_for_exactly_while_a_suspicion_is_open_or_a_row_is_missing(policy in policies(), events in events()) {
        play(policy, &events, |world, _, decision| {
            let suspected = world.lapses.iter().any(|lapse| lapse.state == LapseState::Suspected);
            prop_assert_eq!(decision.recheck_at.is_some(), suspected || !world.missing.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn a_dismissed_lapse_keeps_its_connection_quiet_until_it_is_connected(
        policy in policies(), events in events()
    ) {
        let mut quiet = BTreeSet::new();
        play(policy, &events, |world, _, decision| {
            for change in &decision.changes {
                let connected = matches!(change.transition, Some((_, Status::Connected)));
                let kept = change.lapse == LapseChange::Unchanged;
                prop_assert!(kept || connected || !quiet.contains(&change.connection_id));
            }
            let dismissed = |known: &ConnectionState| {
                known.lapse.as_ref().is_some_and(|lapse| lapse.outcome == Some(Outcome::Dismissed))
            };
            quiet = world.known().into_iter().filter(dismissed).map(|known| known.connection_id).collect();
            Ok(())
        })?;
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(
        policy in policies(), events in events(), last in [said(), said()]
    ) {
        let world = play(policy, &events, |_, _, _| Ok(()))?;
        let mut rows = rows(&last);
        let forwards = world.decide(&rows);
        rows.reverse();
        prop_assert_eq!(world.decide(&rows), forwards);
    }
}
