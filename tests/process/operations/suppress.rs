use super::bench::Bench;
use serde_json::{Value, json};

fn without_time(mut row: Value) -> Value {
    let at = row.as_object_mut().unwrap().remove("created_at").unwrap();
    assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
    row
}

#[tokio::test]
async fn an_address_is_suppressed_listed_by_its_members_and_unsuppressed() {
    let bench = Bench::new().await;
    let added = bench.json("suppress add Alice@Example.ORG").await.remove(0);
    let alice = json!({ "member_ids": ["alice"], "reason": "operator" });
    assert_eq!(without_time(added.clone()), alice);
    let again = bench.json("suppress add alice@example.org").await.remove(0);
    assert_eq!(again, added, "once more changes nothing");
    bench.done("suppress add stranger@example.net").await;
    let listed = bench.json("suppress list").await;
    assert_eq!(listed[0], added);
    assert_eq!(without_time(listed[1].clone()), json!({ "member_ids": [], "reason": "operator" }));
    assert_eq!(listed.len(), 2);

    let status = bench.json("status").await.remove(0);
    assert_eq!((&status["suppressed"], &status["person_mismatches"]), (&json!(1), &json!(0)));
    let members = bench.json("members list").await;
    let suppressed: Vec<_> = members.iter().map(|row| (&row["member_id"], &row["suppressed"])).collect();
    assert_eq!(suppressed, [(&json!("alice"), &json!(true)), (&json!("bob"), &json!(false))]);
    assert_eq!(bench.json("members show alice").await[0]["suppressed"], json!(true));

    let removed = bench.json("suppress remove ALICE@example.org").await;
    assert_eq!(removed, [json!({ "member_ids": ["alice"], "removed": true })]);
    let removed = bench.json("suppress remove alice@example.org").await;
    assert_eq!(removed, [json!({ "member_ids": [], "removed": false })], "there was nothing left to do");
    assert_eq!(bench.json("suppress list").await.len(), 1);
    assert_eq!(bench.json("status").await[0]["suppressed"], 0);
}

#[tokio::test]
async fn commands_about_addresses_name_none() {
    let bench = Bench::new().await;
    let mut said = String::new();
    for line in [
        "suppress add alice@example.org",
        "suppress add alice@example.org",
        "suppress add stranger@example.net",
        "suppress list",
        "suppress list --json",
        "suppress remove alice@example.org",
        "suppress remove alice@example.org",
    ] {
        let ran = bench.run(line).await;
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        said.push_str(&ran.out);
        said.push_str(&ran.err);
    }
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[0], "the address is now suppressed; it belongs to alice");
    assert_eq!(lines[1], "the address is already suppressed; it belongs to alice");
    assert_eq!(lines[2], "the address is now suppressed; no enrolled member has it");
    assert_eq!(lines[lines.len() - 2], "the address is no longer suppressed; it belongs to alice");
    assert_eq!(lines[lines.len() - 1], "the address was not suppressed");
    assert!(!said.contains("@example"), "{said}");
    bench.fails(2, "suppress add nobody").await;
}

#[tokio::test]
async fn an_invitation_to_a_suppressed_address_is_refused_and_says_what_else_to_do() {
    let bench = Bench::new().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.done("suppress add alice@example.org").await;
    for line in ["connections establish kaiser", "connections reconnect epic"] {
        let refused = bench.fails(1, &format!("{line} --member alice --send")).await;
        assert!(refused.contains("--show") && refused.contains("suppress remove"), "{refused}");
        assert!(!refused.contains("@"), "{refused}");
        bench.done(&format!("{line} --member alice --show")).await;
    }
    for _ in 0..3 {
        bench.pass().await;
    }
    assert!(bench.json("notices list").await.is_empty());
    bench.done("suppress remove alice@example.org").await;
    bench.pass().await;
    let notices = bench.json("notices list").await;
    assert_eq!(notices.len(), 1);
    assert_eq!((&notices[0]["kind"], &notices[0]["state"]), (&json!("reconnect"), &json!("sent")));
    bench.json("connections establish kaiser --member alice --send").await;
    assert_eq!(bench.json("notices list").await[1]["kind"], "invited");
}

#[tokio::test]
async fn a_connection_that_works_for_somebody_else_is_marked_in_every_list() {
    let bench = Bench::new().await;
    let errors = Some(vec!["PERSON_MATCHING_ERROR".to_owned()]);
    let change = reconnectd::sim::Change { sync_errors: errors, ..Default::default() };
    bench.sim.world().change("alice", "epic", change).unwrap();
    let warned = bench.run("once").await;
    assert_eq!(warned.code, 0);
    for line in ["connections list", "connections list --member alice"] {
        let rows = bench.json(line).await;
        let marked: Vec<_> = rows.iter().filter(|row| row["person_mismatch"] == true).collect();
        assert_eq!(marked.len(), 1, "{line}");
        assert_eq!((&marked[0]["member_id"], &marked[0]["connection_id"]), (&json!("alice"), &json!("epic")));
        let text = bench.done(line).await;
        assert_eq!(text.matches("PERSON_MATCHING_ERROR").count(), 1, "{text}");
    }
    assert_eq!(bench.json("status").await[0]["person_mismatches"], 1);
}
