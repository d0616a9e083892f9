use super::*;
use crate::sim::{Change, Operation};
use chrono::TimeDelta;

#[tokio::test]
async fn a_named_member_starts_with_three_working_connections_and_a_numbered_one_with_one() {
    let sim = Sim::start().await;
    let three = ["epic CONNECTED RETRIEVED", "basicins CONNECTED RETRIEVED", "labcorp CONNECTED RETRIEVED"];
    assert_eq!(sim.list("bob").await, three);
    assert_eq!(sim.list("m60").await, ["epic CONNECTED RETRIEVED"]);
}

#[tokio::test]
async fn a_row_has_every_field_in_the_gateways_spelling() {
    let sim = Sim::start().await;
    let errors = Some(vec!["PERSON_MATCHING_ERROR".to_owned()]);
    let world = sim.simulator.world();
    world.change("alice", "labcorp", Change { sync_errors: errors, ..Change::status("EXPIRED") }).unwrap();
    let (_, answer) = sim.as_member("alice", LIST, json!({})).await;
    let rows = &answer["data"]["getMemberConnections"];
    assert_eq!(
        rows[0],
        json!({ "id": "epic", "name": "Epic MyChart", "category": "OAUTH", "type": "CLINICAL",
            "integrationType": "PROA", "isDirect": false, "status": "CONNECTED", "syncStatus": "RETRIEVED",
            "syncErrors": null, "statusUpdated": "2026-10-24T12:00:00.000000",
            "lastSynced": "2026-11-23T12:00:00.000000", "created": "2026-10-24T12:00:00.000000" })
    );
    assert_eq!(rows[1]["integrationType"], Value::Null);
    assert_eq!(rows[2]["isDirect"], true);
    assert_eq!(rows[2]["statusUpdated"], "2026-11-23T12:00:00.000000");
    assert_eq!(rows[2]["syncErrors"][0]["coding"][0]["code"], "PERSON_MATCHING_ERROR");
}

#[tokio::test]
async fn the_list_can_be_filtered() {
    let sim = Sim::start().await;
    sim.simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let cases = [
        (json!({}), vec!["epic", "basicins", "labcorp"]),
        (json!({ "status": ["EXPIRED", "ERROR"] }), vec!["epic"]),
        (json!({ "status": [] }), vec![]),
        (json!({ "integrationType": ["DIRECT"] }), vec!["labcorp"]),
        (json!({ "syncStatus": ["RETRIEVED"], "status": ["CONNECTED"] }), vec!["basicins", "labcorp"]),
    ];
    for (filter, expected) in cases {
        let (_, answer) = sim.as_member("alice", LIST, filter.clone()).await;
        let rows = answer["data"]["getMemberConnections"].as_array().unwrap().clone();
        assert_eq!(rows.iter().map(|row| &row["id"]).collect::<Vec<_>>(), expected, "{filter}");
    }
}

#[tokio::test]
async fn one_members_change_is_not_seen_by_another() {
    let sim = Sim::start().await;
    sim.simulator.world().set_status("m1", "epic", "EXPIRED").unwrap();
    assert_eq!(sim.list("m1").await, ["epic EXPIRED RETRIEVED"]);
    assert_eq!(sim.list("m2").await, ["epic CONNECTED RETRIEVED"]);
}

#[tokio::test]
async fn only_an_oauth_source_has_a_reconnect_url() {
    let sim = Sim::start().await;
    for (connection, works) in
        [("epic", true), ("anything-else", true), ("basicins", false), ("labcorp", false)]
    {
        let (_, answer) = sim.as_member("alice", OAUTH_URL, json!({ "connectionId": connection })).await;
        assert_eq!(answer["data"].is_object(), works, "{connection}");
        if !works {
            assert_eq!(issue(&answer), "business-rule");
        }
    }
}

#[tokio::test]
async fn a_data_source_can_be_looked_up_whether_connected_or_not() {
    const QUERY: &str = "query getDataSource($connectionId: String!) {
        getDataSource(connectionId: $connectionId) { id name category type isDirect integrationType } }";
    let sim = Sim::start().await;
    let (_, answer) = sim.as_member("m1", QUERY, json!({ "connectionId": "kaiser-north" })).await;
    assert_eq!(
        answer["data"]["getDataSource"],
        json!({ "id": "kaiser-north", "name": "Kaiser North", "category": "OAUTH", "type": "CLINICAL",
            "isDirect": false, "integrationType": "PROA" })
    );
    assert_eq!(sim.list("m1").await.len(), 1);
}

const CREATE: &str = "mutation createConnection($connectionId: String!, $username: String, $password: String,
    $integrationType: String) { createConnection(connectionId: $connectionId, username: $username,
    password: $password, integrationType: $integrationType) { id status syncStatus } }";

#[tokio::test]
async fn a_connection_is_created_with_credentials_or_directly_and_its_records_come_after_a_while() {
    let sim = Sim::start().await;
    for (variables, works) in [
        (json!({ "connectionId": "a", "username": "u", "password": "p" }), true),
        (json!({ "connectionId": "b", "integrationType": "DIRECT" }), true),
        (json!({ "connectionId": "c" }), false),
        (json!({ "connectionId": "d", "username": "u", "password": "" }), false),
        (json!({ "connectionId": "e", "integrationType": "PROA" }), false),
    ] {
        let (_, answer) = sim.as_member("m1", CREATE, variables.clone()).await;
        if works {
            let row = &answer["data"]["createConnection"];
            assert_eq!((&row["status"], &row["syncStatus"]), (&json!("CONNECTED"), &json!("PENDING")));
        } else {
            assert_eq!(issue(&answer), "required", "{variables}");
        }
    }
    sim.clock.advance(TimeDelta::seconds(10));
    let connected = ["epic CONNECTED RETRIEVED", "a CONNECTED RETRIEVED", "b CONNECTED RETRIEVED"];
    assert_eq!(sim.list("m1").await, connected);
}

fn mutation(name: &str) -> String {
    format!(
        "mutation {name}($connectionId: String!) {{ {name}(connectionId: $connectionId) {{ status statusUpdated }} }}"
    )
}

#[tokio::test]
async fn a_connection_is_disconnected_and_a_deleted_one_leaves_the_list_when_its_data_is_gone() {
    let sim = Sim::start().await;
    let (_, answer) =
        sim.as_member("alice", &mutation("disconnectConnection"), json!({ "connectionId": "epic" })).await;
    let expected = json!({ "status": "DISCONNECTED", "statusUpdated": "2026-11-23T12:00:00.000000" });
    assert_eq!(answer["data"]["disconnectConnection"], expected);
    let (_, answer) =
        sim.as_member("alice", &mutation("deleteConnection"), json!({ "connectionId": "basicins" })).await;
    assert_eq!(answer["data"]["deleteConnection"]["status"], "DELETED");
    let during = ["epic DISCONNECTED RETRIEVED", "basicins DELETED DELETING", "labcorp CONNECTED RETRIEVED"];
    assert_eq!(sim.list("alice").await, during);
    sim.clock.advance(TimeDelta::seconds(10));
    assert_eq!(sim.list("alice").await, ["epic DISCONNECTED RETRIEVED", "labcorp CONNECTED RETRIEVED"]);
    let (_, answer) =
        sim.as_member("alice", &mutation("deleteConnection"), json!({ "connectionId": "basicins" })).await;
    assert_eq!(issue(&answer), "not-found");
}

#[tokio::test]
async fn only_a_disconnected_direct_connection_is_activated_again() {
    let sim = Sim::start().await;
    let world = sim.simulator.world();
    for (connection, status, refused) in [
        ("labcorp", "DISCONNECTED", None),
        ("labcorp", "DELETED", Some("business-rule")),
        ("labcorp", "EXPIRED", Some("business-rule")),
        ("epic", "DISCONNECTED", Some("business-rule")),
    ] {
        world.set_status("carol", connection, status).unwrap();
        let variables = json!({ "connectionId": connection });
        let (_, answer) = sim.as_member("carol", &mutation("activateDirectConnection"), variables).await;
        match refused {
            None => assert_eq!(answer["data"]["activateDirectConnection"]["status"], "CONNECTED"),
            Some(code) => assert_eq!(issue(&answer), code, "{connection} {status}"),
        }
    }
}

#[tokio::test]
async fn a_row_whose_data_is_deleted_is_left_out_and_values_nobody_knows_are_shown() {
    let sim = Sim::start().await;
    let world = sim.simulator.world();
    let sync = |text: &str| Change { sync_status: Some(Some(text.to_owned())), ..Change::default() };
    world.change("alice", "epic", sync("DATA_DELETED")).unwrap();
    world.change("alice", "basicins", sync("PONDERING")).unwrap();
    world.change("alice", "labcorp", Change { status: Some(None), ..Change::default() }).unwrap();
    assert_eq!(sim.list("alice").await, ["basicins CONNECTED PONDERING", "labcorp null RETRIEVED"]);
}

#[tokio::test]
async fn what_the_schema_does_not_know_is_refused_in_the_gateways_form() {
    let sim = Sim::start().await;
    for query in ["{ nonsense }", "{ getMemberConnections { nonsense } }", "{", ""] {
        let (status, answer) = sim.as_member("alice", query, json!({})).await;
        assert_eq!((status, issue(&answer)), (200, "invalid"), "{query}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "400");
        assert_eq!(answer["data"], Value::Null);
    }
    let garbage = sim.http.post(sim.simulator.gateway_url()).body("garbage").send().await.unwrap();
    assert_eq!(garbage.status(), 400);
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_member() {
    let sim = Sim::start().await;
    sim.list("alice").await;
    sim.list("alice").await;
    sim.list("m7").await;
    let world = sim.simulator.world();
    assert_eq!(world.request_count(Operation::GetMemberConnections), 3);
    assert_eq!(world.request_count_for("alice", Operation::GetMemberConnections), Ok(2));
    assert_eq!(world.request_count_for("m7", Operation::Refresh), Ok(1));
    assert_eq!(world.request_count(Operation::GetOauthUrl), 0);
    assert_eq!(world.peak_in_flight(), 1);
    world.reset_requests();
    assert_eq!((world.request_count(Operation::Refresh), world.peak_in_flight()), (0, 0));
}

#[tokio::test]
async fn a_member_is_known_by_one_spelling_only() {
    let sim = Sim::start().await;
    let world = sim.simulator.world();
    assert_eq!(world.population(), 63);
    for number in 0..world.population() {
        assert!(world.connections(&world.member_id(number)).is_ok());
    }
    for nobody in ["", "dave", "m", "m0", "m61", "m01", "m+1", "M1", "m1 ", "m99999999999"] {
        assert!(world.connections(nobody).is_err(), "{nobody:?}");
    }
}
