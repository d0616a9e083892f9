//! Several observers of one member record each transition once.

use crate::{Fixture, now};
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::{
    detect::decide::{Policy, decide},
    domain::{Cause, Connection, Listing, MemberId, Source, Status},
    store::{PollResult, Store},
};

const OBSERVERS: usize = 8;

fn listing(status: &Status) -> Listing {
    let connection = Connection {
        id: "epic".into(),
        source: Source { name: "Epic".into(), ..Source::default() },
        status: Some(status.clone()),
        sync_status: None,
        sync_errors: Vec::new(),
        last_synced: None,
    };
    vec![connection].into()
}

/// Returns the number of transitions that the observer reports.
async fn observe(store: &Store, member: &MemberId, seen: &Listing, minutes: i64) -> usize {
    let policy = Policy {
        confirm_sweeps: 1,
        confirm_after: TimeDelta::zero(),
        flap_window: TimeDelta::days(7),
        recheck_after: TimeDelta::minutes(2),
    };
    let at = now() + TimeDelta::minutes(minutes);
    let answer = PollResult {
        member_id: member,
        asked_at: at,
        cause: Cause::Sweep,
        seen,
        digest: &[minutes as u8; 32],
        accept_empty: false,
    };
    let applied = store.apply_responses(&[answer], at, |known, seen| decide(known, seen, &policy, at)).await;
    applied.unwrap()[0].transitions.len()
}

pub(crate) async fn observers_of_one_member_record_each_transition_once(f: &Fixture) {
    f.import(&["alice"]).await;
    let alice = MemberId::from("alice");
    // Of two processes.
    let other = f.reopen().await;
    let statuses = [Status::Connected, Status::Expired];
    for minutes in 0..12_u8 {
        let seen = listing(&statuses[usize::from(minutes % 2)]);
        let observers = (0..OBSERVERS).map(|observer| {
            let store = if observer % 2 == 0 { &f.store } else { &other };
            observe(store, &alice, &seen, minutes.into())
        });
        assert_eq!(join_all(observers).await.into_iter().sum::<usize>(), 1, "{minutes}");
    }
    let transitions = f.store.transitions(Some(&alice), None, 100).await.unwrap();
    assert_eq!(transitions.len(), 12);
    for pair in transitions.windows(2) {
        assert_eq!(pair[1].from.as_ref(), Some(&pair[0].to), "each begins where the one before ended");
    }
    assert_eq!(f.store.lapses(Some(&alice), None, 100).await.unwrap().len(), 1, "it is resumed each time");
}
