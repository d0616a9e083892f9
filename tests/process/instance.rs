//! One daemon to a database, and everyone else beside it.

use crate::harness::{Home, simulator, until_true};
use serde_json::json;

#[tokio::test]
async fn a_second_daemon_on_a_database_is_refused_with_the_first_ones_process_id() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    let (database, id) = (home.path("reconnectd.db"), daemon.running.id().to_string());
    for command in ["run", "once"] {
        let refused = home.run(&[command]).await;
        refused.badly(1, &[&database.display().to_string(), &format!("process {id}"), "stop it first"]);
    }
    let status = home.json(&["status"]).await;
    assert_eq!(status[0]["members"], json!(1), "the first one goes on");
    daemon.running.stopped().await.well();
    home.run(&["once"]).await.well();
}

#[tokio::test]
async fn a_killed_daemon_leaves_no_lock_behind() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let killed = home.daemon().await.running.kill();
    assert_eq!(killed.signal, Some(9));
    home.run(&["once"]).await.well();
}

#[tokio::test]
async fn commands_work_beside_a_running_daemon_which_applies_their_changes() {
    let simulator = simulator(0).await;
    let home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let daemon = home.daemon().await;
    until_true("the first sweep", async || home.json(&["connections", "list"]).await.len() == 3).await;
    home.write("bob.csv", "member_id,email,refresh_token\nbob,bob@example.org,rt-bob\n");
    home.run(&["members", "import", "bob.csv"]).await.well();
    until_true("bob's connections", async || home.json(&["connections", "list"]).await.len() == 6).await;
    assert_eq!(home.json(&["transitions", "--member", "bob"]).await.len(), 3);
    let now = home.json(&["connections", "list", "--member", "alice"]).await;
    assert_eq!(now.len(), 3, "asked at the gateway beside the daemon");
    home.run(&["members", "remove", "alice"]).await.well();
    assert_eq!(home.json(&["members", "list"]).await.len(), 1);
    assert_eq!(home.json(&["status"]).await[0]["members"], json!(1));
    daemon.running.stopped().await.well();
}
