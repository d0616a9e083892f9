use super::{check_of_database, expire};
use crate::harness::{Home, mails, simulator};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk_is_an_error_at_the_start_and_nothing_is_emailed() {
    let simulator = simulator(0).await;
    let Some(mut home) = Home::new(&simulator).on_small_disk(8) else { return };
    home.set("sweep.confirm_sweeps", 1);
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    expire(&simulator, "alice");
    let folder = home.path("disk").display().to_string();
    let remount = |mode: &str| home.disk().view.run(&format!("mount -o remount,{mode} '{folder}'"));
    remount("ro");
    for command in ["run", "once"] {
        home.run(&[command]).await.badly(2, &["database.url", "reconnectd.db"]);
    }
    let (level, message) = check_of_database(&home).await;
    assert_eq!(level, "failed", "{message}");
    assert_eq!(simulator.mailbox().received(), 0);
    remount("rw");
    let daemon = home.daemon().await;
    mails(&simulator, 1).await;
    daemon.running.stopped().await.well();
}
