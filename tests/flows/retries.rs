//! An operator retries what a mail server rejected.

use crate::harness::Harness;
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::sim::{SmtpFault, SmtpStage};

#[tokio::test]
async fn a_retry_reaches_the_mail_server_at_once_and_its_success_opens_the_queue() {
    let h = Harness::queued(&["alice", "bob"]).await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Mail, 452, "4.3.1 Insufficient system storage"));
    let refused = || h.log.text().matches("reason=\"mail_server_busy\"").count();
    let daemon = h.run_daemon(&[("EMAIL__CONNECTIONS", "1")]).await;
    let attempts = async || h.attempts("alice").await.len() + h.attempts("bob").await.len();
    until("the queue to close", async || attempts().await == 1 && refused() == 1).await;

    h.clock.advance(TimeDelta::seconds(1));
    let retry = async || {
        h.app.store.retry_all_notices(h.clock.now()).await.unwrap();
    };
    retry().await;
    until("a probe", async || refused() > 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(refused(), 2, "one notice probes for all");

    h.end_faults();
    h.clock.advance(TimeDelta::seconds(1));
    retry().await;
    until("both emails", async || h.mails().len() == 2).await;
    daemon.stop().await;
}
