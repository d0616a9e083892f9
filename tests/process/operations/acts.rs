use super::bench::Bench;
use reconnectd::sim::{Fault, FaultKind, Operation};

#[tokio::test]
async fn an_operators_disconnect_is_recorded_immediately_and_causes_no_notice() {
    let bench = Bench::new().await;
    bench.pass().await;
    assert_eq!(bench.status("connections disconnect epic --member alice --yes").await, "DISCONNECTED");
    let transitions = bench.transitions("alice", "epic").await;
    assert_eq!(transitions[1], ("CONNECTED".into(), "DISCONNECTED".into()));
    // bob's was cut by somebody else: that is what would come of it.
    bench.sim.world().set_status("bob", "epic", "DISCONNECTED").unwrap();
    for _ in 0..3 {
        bench.pass().await;
    }
    let mails = bench.sim.mailbox().mails();
    let recipients: Vec<_> = mails.iter().flat_map(|mail| &mail.to).collect();
    assert_eq!(recipients, ["bob@example.org"]);
    assert!(bench.json("notices list --member alice").await.is_empty());
    let lapses = bench.json("lapses list --member alice").await;
    assert_eq!((lapses.len(), &lapses[0]["outcome"]), (1, &"dismissed".into()));

    // Connected and lost again by itself: that is news.
    bench.sim.world().set_status("alice", "epic", "CONNECTED").unwrap();
    bench.pass().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.pass().await;
    bench.pass().await;
    assert_eq!(bench.json("notices list --member alice").await.len(), 1);
}

#[tokio::test]
async fn a_disconnect_that_is_observed_later_causes_no_notice_either() {
    let bench = Bench::new().await;
    bench.pass().await;
    // The list is read before the act and cannot be read after it.
    let broken =
        Fault::new(FaultKind::Http { status: 503, retry_after: None }).on(Operation::GetMemberConnections);
    let app = bench.app().await;
    let (member, id) = ("alice".into(), "epic".into());
    let listed = app.operator.connection(&member, &id).await.unwrap();
    bench.sim.world().add_fault(broken);
    app.operator.disconnect(&member, listed).await.unwrap_err();
    bench.sim.world().clear_faults();
    for _ in 0..3 {
        bench.pass().await;
    }
    assert_eq!(bench.transitions("alice", "epic").await.len(), 2);
    assert!(bench.json("notices list").await.is_empty());
}

#[tokio::test]
async fn a_refused_disconnect_changes_nothing() {
    let bench = Bench::new().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.pass().await;
    bench.sim.world().add_fault(
        Fault::new(FaultKind::GraphqlError { code: "forbidden".into() }).on(Operation::DisconnectConnection),
    );
    let said = bench.fails(1, "connections disconnect epic --member alice --yes").await;
    assert!(said.contains("forbidden"), "the gateway's code is named: {said}");
    bench.pass().await;
    bench.pass().await;
    assert_eq!(bench.json("lapses list --member alice").await[0]["state"], "open");
    assert_eq!(bench.sim.mailbox().mails().len(), 1);
}

#[tokio::test]
async fn a_disconnect_without_a_response_causes_no_notice_and_says_how_to_find_out() {
    let bench = Bench::new().await;
    bench.pass().await;
    // It is carried out, and the answer never arrives.
    bench.sim.world().add_fault(Fault::new(FaultKind::CutBody).on(Operation::DisconnectConnection));
    let said = bench.fails(1, "connections disconnect epic --member alice --yes").await;
    assert!(said.contains("connections list --member alice"), "{said}");
    for _ in 0..3 {
        bench.pass().await;
    }
    assert_eq!(bench.transitions("alice", "epic").await.last().unwrap().1, "DISCONNECTED");
    assert!(bench.json("notices list").await.is_empty());
}

#[tokio::test]
async fn a_row_that_lingers_after_its_deletion_starts_no_notice() {
    let bench = Bench::new().await;
    bench.pass().await;
    assert_eq!(bench.status("connections delete epic --member alice --yes").await, "DELETED");
    for status in ["CONNECTED", "DISCONNECTED", "EXPIRED", "EXPIRED", "CONNECTED", "EXPIRED", "EXPIRED"] {
        let change = serde_json::json!({ "status": status, "syncStatus": "DELETING" });
        bench.sim.world().change("alice", "epic", serde_json::from_value(change).unwrap()).unwrap();
        bench.pass().await;
    }
    let gone = serde_json::from_value(serde_json::json!({ "absent": true })).unwrap();
    bench.sim.world().change("alice", "epic", gone).unwrap();
    bench.pass().await;
    assert_eq!(bench.transitions("alice", "epic").await.last().unwrap().1, "DELETED");
    assert!(bench.json("notices list").await.is_empty());
    let said = bench.fails(1, "connections delete epic --member alice --yes").await;
    assert!(said.contains("alice") && said.contains("epic"), "{said}");
}

#[tokio::test]
async fn a_connection_with_a_password_is_created_and_repaired_from_the_command_line() {
    let bench = Bench::new().await;
    let path = bench.home.write_secret("password", "hunter2-from-file\n");
    bench.home.write("exposed", "hunter2-from-file\n");
    let establish = "connections establish basicins --member alice --username al";
    let with_file = format!("{establish} --password-file {}", path.display());
    assert_eq!(bench.status("connections delete basicins --member alice --yes").await, "DELETED");
    assert_eq!(bench.status(&with_file).await, "CONNECTED");

    bench.sim.world().set_status("alice", "basicins", "EXPIRED").unwrap();
    let reconnect = "connections reconnect basicins --member alice --username al --password-stdin";
    let ran = bench.run_with_input(reconnect, "hunter2-from-stdin\n").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "basicins of alice is CONNECTED\n"), "{}", ran.err);
    let last = bench.transitions("alice", "basicins").await.pop();
    assert_eq!(last, Some(("EXPIRED".into(), "CONNECTED".into())));

    assert_eq!(bench.run_with_input(&format!("{establish} --password-stdin"), "\n").await.code, 2);
    for line in [
        establish,
        "connections establish basicins --member alice",
        "connections establish basicins --member alice --password-file /dev/null --username al",
        "connections establish basicins --member alice --password-file /does/not/exist --username al",
        "connections establish basicins --member alice --password-file exposed --username al",
        "connections establish basicins --member alice --send",
    ] {
        bench.fails(2, line).await;
    }
    // What the gateway quotes back of the credentials is not shown.
    let refused = FaultKind::GraphqlError { code: "invalid".into() };
    bench.sim.world().add_fault(Fault::new(refused).on(Operation::CreateConnection));
    let said = bench.fails(1, &with_file).await;
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_direct_connection_needs_no_credentials() {
    let bench = Bench::new().await;
    let world = bench.sim.world();
    assert_eq!(bench.status("connections disconnect labcorp --member alice --yes").await, "DISCONNECTED");
    assert_eq!(bench.status("connections reconnect labcorp --member alice").await, "CONNECTED");
    assert_eq!(world.request_count(Operation::ActivateDirectConnection), 1);
    world.set_status("alice", "labcorp", "EXPIRED").unwrap();
    assert_eq!(bench.status("connections reconnect labcorp --member alice").await, "CONNECTED");
    assert_eq!(world.request_count(Operation::CreateConnection), 1);
    assert_eq!(bench.status("connections delete labcorp --member alice --yes").await, "DELETED");
    assert_eq!(bench.status("connections establish labcorp --member alice").await, "CONNECTED");
    let typed = "connections establish basicins --member alice --integration-type direct";
    assert_eq!(bench.status(typed).await, "CONNECTED");

    bench.fails(1, "connections reconnect labcorp --member alice").await;
    bench.fails(2, "connections establish labcorp --member alice --show").await;
    bench.fails(2, &format!("{typed} --username al")).await;
}

#[tokio::test]
async fn usage_errors_say_what_to_do_and_send_nothing_to_the_gateway() {
    let bench = Bench::new().await;
    for verb in ["disconnect", "delete"] {
        let said = bench.fails(2, &format!("connections {verb} epic --member alice")).await;
        assert!(said.contains("--yes"), "{said}");
    }
    let said = bench.fails(1, "connections disconnect epic --member mallory --yes").await;
    assert!(said.contains("members list"), "{said}");
    assert_eq!(bench.sim.world().request_count(Operation::GetMemberConnections), 0);
    let said = bench.fails(2, "connections establish kaiser --member alice").await;
    assert!(said.contains("--send") && said.contains("--show"), "{said}");
    bench.fails(2, "connections establish kaiser --member alice --show --username al").await;
    bench.fails(1, "connections establish epic --member alice --show").await;
    bench.fails(1, "connections reconnect kaiser --member alice --show").await;
    assert_eq!(bench.sim.world().request_count(Operation::CreateConnection), 0);

    bench.sim.world().revoke("alice").unwrap();
    bench.fails(1, "connections disconnect epic --member alice --yes").await;
    assert_eq!(bench.sim.world().request_count(Operation::DisconnectConnection), 0);
}
