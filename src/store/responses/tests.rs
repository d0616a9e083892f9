use super::*;
use crate::domain::{
    Cause, ChangeReason, Connection, ConnectionId, DisconnectKind, EventTypes, Lapse, LapseFields, Source,
    Status,
};
use crate::store::engine::{query, query_scalar};
use crate::store::testing::new_store;
use tempfile::TempDir;

fn known(id: &str, state: LapseState) -> ConnectionState {
    let lapse = Lapse {
        id: id.into(),
        member_id: "alice".into(),
        connection_id: "epic".into(),
        state,
        outcome: None,
        suspected_at: Time::UNIX_EPOCH,
        consecutive_observations: 1,
        opened_at: None,
        closed_at: None,
        disconnect_intent: None,
    };
    ConnectionState {
        connection_id: "epic".into(),
        status: None,
        is_being_deleted: false,
        lapse: Some(lapse),
        missing: None,
    }
}

#[test]
fn only_an_open_lapse_that_is_closed_has_ended() {
    use LapseState::{Closed, Open, Suspected};
    for (id, first, second, becomes, has_ended) in [
        ("first", Open, Suspected, Closed, true),
        ("second", Suspected, Open, Closed, true),
        ("second", Open, Suspected, Closed, false),
        ("second", Open, Closed, Closed, false),
        ("first", Open, Open, Suspected, false),
    ] {
        let known = [known("first", first), known("second", second)];
        let lapse = known[0].lapse.as_ref().unwrap();
        let fields = LapseFields { state: becomes, outcome: Some(Outcome::Recovered), ..lapse.into() };
        let lapse = LapseChange::Update(id.into(), fields);
        let reason = ChangeReason::Recovered;
        let change = Change { connection_id: "epic".into(), transition: None, lapse, reason };
        let now = Time::UNIX_EPOCH + TimeDelta::hours(2);
        let expected = has_ended.then_some((Outcome::Recovered, TimeDelta::hours(2)));
        assert_eq!(ended(&change, &known, now), expected, "{id} {first:?} {second:?} {becomes:?}");
    }
}

/// A member with these connections, and every event on.
async fn store_with(connections: &[(&str, &str)]) -> (Store, TempDir) {
    let (store, folder) = new_store().await;
    let member = "INSERT INTO members (member_id, email, subject, poll_key, added_at, updated_at)
         VALUES ('alice', '', '', 1, 0, 0)";
    store.execute(query(member)).await.unwrap();
    for (id, status) in connections {
        let connection = "INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at,
                changed_at)
             VALUES ('alice', $1, $1, TRUE, $2, '[]', 0, 0)";
        store.execute(query(connection).bind(*id).bind(*status)).await.unwrap();
    }
    (Store { events: EventTypes::ALL, ..store }, folder)
}

fn row(id: &str, status: Option<Status>, errors: &[&str]) -> Connection {
    Connection {
        id: id.into(),
        source: Source { name: id.into(), ..Source::default() },
        status,
        sync_status: None,
        sync_errors: errors.iter().map(|error| (*error).to_owned()).collect(),
        last_synced: None,
    }
}

async fn apply(store: &Store, rows: Vec<Connection>, decision: Decision) -> ApplyReport {
    let answer = PollResult {
        member_id: &"alice".into(),
        asked_at: Time::UNIX_EPOCH,
        cause: Cause::Sweep,
        seen: &rows.into(),
        digest: &[],
        accept_empty: true,
    };
    let applied = store.apply_responses(&[answer], Time::UNIX_EPOCH, |_, _| decision.clone()).await;
    applied.unwrap().remove(0)
}

#[tokio::test]
async fn a_row_without_a_status_is_judged_by_the_last_one_of_its_own_connection() {
    let (store, _folder) = store_with(&[("cerner", "DISCONNECTED"), ("epic", "CONNECTED")]).await;
    let rows = ["cerner", "epic"].map(|id| row(id, None, &["PERSON_MATCHING_ERROR"]));
    let report = apply(&store, rows.into(), Decision::default()).await;
    assert_eq!(report.mismatched, [ConnectionId::from("epic")]);
}

#[tokio::test]
async fn of_two_spellings_the_first_is_stored_and_its_status_if_the_other_does_not_contradict_it() {
    for (second, stored) in [(Status::Connected, "CONNECTED"), (Status::Expired, "")] {
        let (store, _folder) = store_with(&[]).await;
        let rows = vec![row("Epic", Some(Status::Connected), &[]), row("EPIC", Some(second), &[])];
        apply(&store, rows, Decision::default()).await;
        let known = "SELECT connection_id || ' ' || coalesce(status, '') FROM connections";
        let known: Vec<String> = query_scalar(known).fetch_all(&store.reader).await.unwrap();
        assert_eq!(known, [format!("Epic {stored}")]);
    }
}

#[tokio::test]
async fn the_event_of_a_disconnect_has_the_last_status_of_a_row_that_is_gone() {
    let (store, _folder) = store_with(&[("cerner", "CONNECTED"), ("epic", "DELETED")]).await;
    let lapse = "INSERT INTO lapses (lapse_id, member_id, connection_id, state, outcome, suspected_at,
            consecutive_observations, closed_at)
         VALUES ('l', 'alice', 'epic', 'closed', 'dismissed', 0, 1, 0)";
    store.execute(query(lapse)).await.unwrap();
    let closed = known("l", LapseState::Closed).lapse.unwrap();
    let shown = LapseFields {
        outcome: Some(Outcome::Dismissed),
        closed_at: Some(Time::UNIX_EPOCH),
        disconnect_intent: Some(DisconnectKind::Delete),
        ..(&closed).into()
    };
    let change = Change {
        connection_id: "epic".into(),
        transition: None,
        lapse: LapseChange::Update("l".into(), shown),
        reason: ChangeReason::DisconnectObserved,
    };
    apply(&store, Vec::new(), Decision { changes: vec![change], ..Decision::default() }).await;
    let statuses: Vec<String> =
        query_scalar("SELECT data ->> 'status' FROM events").fetch_all(&store.reader).await.unwrap();
    assert_eq!(statuses, ["DELETED"]);
}
