//! What an operator's own act means while the gateway's list lags.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    domain::{DisconnectKind, MemberId, Status},
    reconnect::operator_actions::OperateError,
    sim::{Change, FaultKind, Operation},
};

const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// The operator has disconnected alice's epic, and the list still says CONNECTED.
async fn lagging() -> Harness {
    let h = Harness::watching(&["alice"]).await;
    announce(&h, DisconnectKind::Disconnect).await;
    h
}

async fn announce(h: &Harness, parting: DisconnectKind) {
    let (alice, epic) = ("alice".into(), "epic".into());
    h.app.store.record_disconnect_intent(&alice, &epic, parting, h.clock.now()).await.unwrap();
}

#[tokio::test]
async fn a_list_that_lags_for_several_sweeps_starts_no_notice() {
    for parting in [DisconnectKind::Disconnect, DisconnectKind::Delete] {
        let h = Harness::watching(&["alice"]).await;
        announce(&h, parting).await;
        for _ in 0..4 {
            h.pass_after(QUARTER).await;
            assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
        }
        h.set("alice", "epic", "DISCONNECTED");
        for _ in 0..3 {
            h.pass_after(QUARTER).await;
        }
        assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "DISCONNECTED"]);
        assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
        assert!(h.notices("alice").await.is_empty() && h.mails().is_empty());
    }
}

/// What a connection can go through without being connected again.
const NEVER_CONNECTED: [&str; 9] = [
    "DISCONNECTED",
    "EXPIRED",
    "absent",
    "absent",
    "DISCONNECTED",
    "DELETED",
    "EXPIRED",
    "ERROR",
    "DISCONNECTED",
];

async fn go_through(h: &Harness, statuses: &[&str]) {
    for status in statuses {
        let change = match *status {
            "absent" => Change { absent: true, ..Change::default() },
            status => Change { absent: false, ..Change::status(status) },
        };
        h.sim.world().change("alice", "epic", change).unwrap();
        h.pass_after(TimeDelta::days(4)).await;
    }
}

#[tokio::test]
async fn a_dismissal_stands_until_the_connection_is_connected_again() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "DISCONNECTED")]).await;
    h.press(&format!("{link}/dismiss")).await;
    go_through(&h, &NEVER_CONNECTED).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    assert_eq!((h.mails().len(), h.notices("alice").await.len()), (1, 1));
    go_through(&h, &["CONNECTED", "CONNECTED", "CONNECTED", "EXPIRED"]).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn an_operator_s_disconnect_stands_until_the_connection_is_connected_again() {
    for parting in [DisconnectKind::Disconnect, DisconnectKind::Delete] {
        let h = Harness::watching(&["alice"]).await;
        announce(&h, parting).await;
        go_through(&h, &NEVER_CONNECTED).await;
        assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
        assert!(h.notices("alice").await.is_empty());
        go_through(&h, &["CONNECTED", "CONNECTED", "CONNECTED", "EXPIRED"]).await;
        assert_eq!(h.mails().len(), 1);
    }
}

#[tokio::test]
async fn once_the_list_has_shown_the_act_connected_ends_the_dismissal_and_the_next_break_is_news() {
    let h = lagging().await;
    for (status, lapse) in [
        ("CONNECTED", "epic closed dismissed"),
        ("DISCONNECTED", "epic closed dismissed"),
        ("CONNECTED", "epic closed recovered"),
        ("EXPIRED", "epic open"),
    ] {
        h.set("alice", "epic", status);
        h.pass_after(QUARTER).await;
        assert_eq!(h.lapse_states("alice").await, [lapse], "{status}");
    }
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn an_unclear_operation_suppresses_notices_for_at_most_a_day() {
    let h = Harness::watching(&["alice"]).await;
    h.fault(Operation::DisconnectConnection, FaultKind::Http { status: 502, retry_after: None });
    let alice = MemberId::from("alice");
    let listed = h.app.operator.connection(&alice, &"epic".into()).await.unwrap();
    // Nor can it be seen right after.
    h.fault(Operation::GetMemberConnections, FaultKind::NullData);
    let ended = h.app.operator.disconnect(&alice, listed).await;
    assert!(matches!(ended, Err(OperateError::Unclear { .. })), "{ended:?}");
    h.end_faults();
    h.pass_after(TimeDelta::hours(23)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(
        h.lapse_states("alice").await,
        ["epic closed recovered"],
        "the same response, evaluated again"
    );
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn connecting_again_ends_the_wait_for_the_operations_effect() {
    let h = Harness::watching(&["alice"]).await;
    let alice = MemberId::from("alice");
    h.app
        .store
        .record_disconnect_intent(&alice, &"labcorp".into(), DisconnectKind::Disconnect, h.clock.now())
        .await
        .unwrap();
    h.app
        .operator
        .establish(&alice, &"labcorp".into(), &reconnectd::gateway::Establish::Direct)
        .await
        .unwrap();
    assert_eq!(h.lapse_states("alice").await, ["labcorp closed recovered"]);
    h.set("alice", "labcorp", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_source_that_is_connected_again_while_the_list_fails_is_evaluated_by_the_next_sweep() {
    let h = Harness::watching(&["alice"]).await;
    let (alice, labcorp) = (MemberId::from("alice"), "labcorp".into());
    let intent =
        h.app.store.record_disconnect_intent(&alice, &labcorp, DisconnectKind::Disconnect, h.clock.now());
    intent.await.unwrap();
    h.sweep_after(QUARTER).await;
    h.fault(Operation::GetMemberConnections, FaultKind::Http { status: 503, retry_after: None });
    let direct = reconnectd::gateway::Establish::Direct;
    let established = h.app.operator.establish(&alice, &labcorp, &direct).await;
    assert!(matches!(established, Err(OperateError::DoneButUnverified(_))), "{established:?}");
    assert_eq!(h.lapse_states("alice").await, ["labcorp closed dismissed"]);
    h.end_faults();
    // The list is the same as in the sweep before.
    h.sweep_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["labcorp closed recovered"]);
}

#[tokio::test]
async fn an_act_that_was_refused_leaves_no_trace() {
    let h = lagging().await;
    let (alice, epic) = (MemberId::from("alice"), "epic".into());
    let announced = h
        .app
        .store
        .record_disconnect_intent(&alice, &"labcorp".into(), DisconnectKind::Delete, h.clock.now())
        .await
        .unwrap();
    h.app.store.revert_disconnect_intent(&alice, &announced, h.clock.now()).await.unwrap();
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    let again = h
        .app
        .store
        .record_disconnect_intent(&alice, &epic, DisconnectKind::Delete, h.clock.now())
        .await
        .unwrap();
    h.app.store.revert_disconnect_intent(&alice, &again, h.clock.now()).await.unwrap();
    assert_eq!(
        h.lapses("alice").await[0].disconnect_intent,
        Some(DisconnectKind::Disconnect),
        "the act before it still counts"
    );
}

#[tokio::test]
async fn a_connection_that_the_list_leaves_out_after_the_act_is_deleted() {
    let h = Harness::watching(&["alice"]).await;
    let (operator, alice) = (&h.app.operator, MemberId::from("alice"));
    let listed = operator.connection(&alice, &"epic".into()).await.unwrap();
    h.fault(Operation::GetMemberConnections, FaultKind::EmptyList);
    let left = operator.disconnect(&alice, listed).await.unwrap();
    assert_eq!(left.status, Some(Status::Deleted));
}

#[tokio::test]
async fn an_act_that_the_gateway_refuses_is_no_disconnect() {
    let h = Harness::watching(&["alice"]).await;
    let (operator, alice) = (&h.app.operator, MemberId::from("alice"));
    let connection = operator.connection(&alice, &"epic".into()).await.unwrap();
    h.fault(Operation::DisconnectConnection, FaultKind::GraphqlError { code: "forbidden".into() });
    let ended = operator.disconnect(&alice, connection).await;
    assert!(matches!(ended, Err(OperateError::Refused(_))), "{ended:?}");
    assert_eq!(h.lapse_states("alice").await, [""; 0], "nothing keeps emails about it back");
}

#[tokio::test]
async fn a_connection_that_breaks_before_its_act_is_refused_lapses_afterwards() {
    let h = Harness::watching(&["alice"]).await;
    let (store, alice, epic) = (&h.app.store, MemberId::from("alice"), "epic".into());
    let intent = store.record_disconnect_intent(&alice, &epic, DisconnectKind::Disconnect, h.clock.now());
    let intent = intent.await.unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.sweep_after(QUARTER).await;
    store.revert_disconnect_intent(&alice, &intent, h.clock.now()).await.unwrap();
    assert_eq!(h.lapse_states("alice").await, [""; 0]);
    for _ in 0..2 {
        h.sweep_after(QUARTER).await;
    }
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
}

#[tokio::test]
async fn a_response_that_came_before_an_act_was_refused_is_evaluated_again() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    let (store, alice, epic) = (&h.app.store, MemberId::from("alice"), "epic".into());
    let intent = store.record_disconnect_intent(&alice, &epic, DisconnectKind::Disconnect, h.clock.now());
    let intent = intent.await.unwrap();
    h.set("alice", "epic", "CONNECTED");
    h.sweep_after(QUARTER).await;
    store.revert_disconnect_intent(&alice, &intent, h.clock.now()).await.unwrap();
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    h.sweep_after(QUARTER).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
}

#[tokio::test]
async fn a_link_that_a_recovery_ended_stays_ended_when_the_operator_disconnects() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass().await;
    announce(&h, DisconnectKind::Disconnect).await;
    h.set("alice", "epic", "DISCONNECTED");
    h.pass().await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    let forms = h.look(&link).await.forms();
    assert!(!forms.contains(&"redeem epic".to_owned()), "{forms:?}");
}

#[tokio::test]
async fn an_act_of_the_operator_withdraws_the_invitations_to_the_connection_and_no_others() {
    let h = Harness::watching(&["alice"]).await;
    let (operator, alice) = (&h.app.operator, MemberId::from("alice"));
    let sources = ["epic", "kaiser-north"];
    for source in sources {
        h.set("alice", source, "DISCONNECTED");
    }
    h.sweep().await;
    let mut links = Vec::new();
    for source in sources {
        links.push(h.invitation("alice", source).await);
        let source = operator.connection_or_source(&alice, &source.into()).await.unwrap();
        operator.send_invitation(&alice, &source).await.unwrap();
    }
    let can_be_pressed = async || h.look(&links[0]).await.forms().contains(&"redeem epic".to_owned());
    assert!(can_be_pressed().await);
    announce(&h, DisconnectKind::Delete).await;
    assert!(!can_be_pressed().await);
    let mut states = h.notice_states("alice").await;
    states.sort_unstable();
    assert_eq!(states, ["cancelled", "queued"]);
    let invited = h.rows().await.texts("invitations", "connection_id").await.unwrap();
    assert_eq!(invited, ["kaiser-north", "kaiser-north"]);
}
