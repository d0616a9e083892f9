//! Members whom the operator pauses and resumes.

use crate::harness::{Harness, Setup, link_in};
use chrono::TimeDelta;
use reconnectd::{
    domain::{CredentialRules, MemberId},
    sim::{FaultKind, Operation},
    store::{ListedMember, PauseOutcome},
};
use std::time::Duration;

impl Harness {
    async fn pause(&self, members: &[&str]) -> PauseOutcome {
        self.app.store.pause_members(&ids(members), self.clock.now()).await.expect("a pause")
    }

    async fn resume(&self, members: &[&str]) -> PauseOutcome {
        self.app.store.resume_members(&ids(members), self.clock.now()).await.expect("a resume")
    }

    /// A member's notices, oldest first: step, state, and reason.
    async fn steps(&self, member: &str) -> Vec<[String; 3]> {
        let notices = self.notices(member).await.into_iter();
        notices
            .map(|listed| notice(listed.notice.step, listed.notice.state.as_str(), &listed.reason))
            .collect()
    }

    async fn is_paused(&self, member: &str) -> bool {
        let rows = self.rows().await.rows("members", ["member_id", "paused_at"]).await.expect("rows");
        rows.iter().any(|[id, paused_at]| id == member && !paused_at.is_empty())
    }

    async fn listed(&self, member: &str) -> ListedMember {
        let rules = CredentialRules::stored_tokens();
        let id = member.into();
        self.app.store.list_members(Some(&id), None, 1, &rules, None).await.expect("members").remove(0)
    }
}

fn ids(members: &[&str]) -> Vec<MemberId> {
    members.iter().map(|id| MemberId::from(*id)).collect()
}

fn changed(members: &[&str]) -> PauseOutcome {
    PauseOutcome::Changed(ids(members))
}

fn notice(step: u32, state: &str, reason: &str) -> [String; 3] {
    [step.to_string(), state.to_owned(), reason.to_owned()]
}

#[tokio::test]
async fn a_queued_notice_of_a_paused_member_is_sent_after_the_resume_once_and_at_its_step() {
    let h = Harness::queued(&["alice", "bob"]).await;
    assert_eq!(h.pause(&["alice"]).await, changed(&["alice"]));
    assert_eq!(h.steps("alice").await, [notice(0, "cancelled", "paused")]);
    h.pass().await;
    h.pass_after(TimeDelta::days(1)).await;
    assert_eq!(h.recipients(), ["bob@example.org"]);

    assert_eq!(h.resume(&["alice"]).await, changed(&["alice"]));
    for _ in 0..3 {
        h.pass_after(TimeDelta::minutes(15)).await;
    }
    assert_eq!(h.recipients(), ["bob@example.org", "alice@example.org"]);
    let expected = [notice(0, "cancelled", "paused"), notice(0, "sent", "accepted")];
    assert_eq!(h.steps("alice").await, expected);
    assert_eq!(h.look(&h.link()).await.status, 200);
}

#[tokio::test]
async fn a_reminder_that_was_due_during_the_pause_is_sent_after_the_resume() {
    let setup = Setup::default().set("NOTICES__EXPIRED__REMINDERS", "3d,10d");
    let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    h.pause(&["alice"]).await;
    for _ in 0..5 {
        h.pass_after(TimeDelta::days(1)).await;
    }
    assert_eq!(h.steps("alice").await, [notice(0, "sent", "accepted")], "nothing is queued meanwhile");

    h.resume(&["alice"]).await;
    h.pass().await;
    h.pass_after(TimeDelta::days(1)).await;
    let sent = |step| notice(step, "sent", "accepted");
    assert_eq!(h.steps("alice").await, [sent(0), sent(1)]);
    h.pass_after(TimeDelta::days(4)).await;
    h.pass_after(TimeDelta::days(30)).await;
    assert_eq!(h.steps("alice").await, [sent(0), sent(1), sent(2)], "the cadence goes on as before");
    assert_eq!(h.mails().len(), 3);
}

#[tokio::test]
async fn an_unknown_or_removed_member_keeps_all_members_as_they_are() {
    let h = Harness::queued(&["alice", "bob"]).await;
    h.app.store.remove_member(&"bob".into(), h.clock.now()).await.unwrap();
    let nobody = PauseOutcome::NotEnrolled(ids(&["nobody", "bob"]));
    assert_eq!(h.pause(&["alice", "nobody", "bob"]).await, nobody);
    assert!(!h.is_paused("alice").await);
    assert_eq!(h.notice_states("alice").await, ["queued"]);

    h.pause(&["alice"]).await;
    assert_eq!(h.resume(&["alice", "nobody", "bob"]).await, nobody);
    assert!(h.is_paused("alice").await);
    h.pass().await;
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_removal_ends_a_pause() {
    let h = Harness::queued(&["alice"]).await;
    h.pause(&["alice"]).await;
    h.enrol(&["alice"]).await;
    assert!(h.is_paused("alice").await, "an import of an enrolled member does not");
    h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap();
    h.enrol(&["alice"]).await;
    assert!(!h.is_paused("alice").await);
}

#[tokio::test]
async fn a_paused_member_is_not_polled_by_sweeps_rechecks_or_retries() {
    let setup = Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2);
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.sweep().await;
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);
    h.pause(&["alice"]).await;
    let asked = h.asked("alice", Operation::GetMemberConnections);
    for _ in 0..4 {
        let report = h.pass_after(TimeDelta::minutes(15)).await;
        assert_eq!((report.progress.members, report.progress.skipped), (1, 0));
    }
    h.retry(&["alice"]).await;
    assert_eq!(h.asked("alice", Operation::GetMemberConnections), asked);
    assert_eq!(h.lapse_states("alice").await, ["epic suspected"]);

    h.resume(&["alice"]).await;
    assert_eq!(h.pass_after(TimeDelta::minutes(15)).await.progress.members, 2);
    assert_eq!(h.lapse_states("alice").await, ["epic open"]);
    assert_eq!(h.recipients(), ["alice@example.org"]);
}

#[tokio::test]
async fn a_link_works_during_the_pause_and_the_next_sweep_after_it_sees_the_recovery() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.pause(&["alice"]).await;
    let asked = h.asked("alice", Operation::GetMemberConnections);
    h.reconnect(&link).await;
    h.clock.advance(TimeDelta::minutes(30));
    assert!(h.app.rechecker.recheck_one().await.unwrap(), "the press scheduled a recheck");
    assert!(!h.app.rechecker.recheck_one().await.unwrap(), "which is deleted");
    assert_eq!(h.asked("alice", Operation::GetMemberConnections), asked);

    h.resume(&["alice"]).await;
    h.pass().await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_resumed_member_whose_connection_recovered_gets_no_email() {
    let h = Harness::queued(&["alice"]).await;
    h.pause(&["alice"]).await;
    h.set("alice", "epic", "CONNECTED");
    h.clock.advance(TimeDelta::days(1));
    h.resume(&["alice"]).await;
    // Before the sweep has come to the member.
    assert!(h.app.planner.plan_page().await.unwrap());
    h.app.deliverer.deliver_one().await.unwrap();
    let expected = [notice(0, "cancelled", "paused"), notice(0, "cancelled", "no_longer_needed")];
    assert_eq!(h.steps("alice").await, expected);
    h.pass().await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_pause_stops_an_email_that_is_about_to_be_handed_over() {
    for operation in [Operation::GetMemberConnections, Operation::GetOauthUrl] {
        let h = Harness::queued(&["alice"]).await;
        let before = h.asked("alice", operation);
        h.fault(operation, FaultKind::Delay { ms: 500 });
        let pausing = async {
            while h.asked("alice", operation) == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            h.pause(&["alice"]).await
        };
        let (delivered, paused) = tokio::join!(h.app.deliverer.deliver_one(), pausing);
        assert!(delivered.is_ok() && paused == changed(&["alice"]));
        assert_eq!(h.steps("alice").await, [notice(0, "cancelled", "paused")], "{operation:?}");
        h.end_faults();
        h.pass().await;
        assert!(h.mails().is_empty());

        h.resume(&["alice"]).await;
        h.pass().await;
        let expected = [notice(0, "cancelled", "paused"), notice(0, "sent", "accepted")];
        assert_eq!(h.steps("alice").await, expected, "{operation:?}");
        assert_eq!(h.look(&link_in(&h.mails()[0])).await.status, 200);
    }
}

#[tokio::test]
async fn a_second_pause_keeps_the_time_of_the_first() {
    let h = Harness::watching(&["alice", "bob"]).await;
    assert_eq!(h.resume(&["alice"]).await, changed(&[]), "nobody is paused");
    h.pause(&["alice"]).await;
    let paused_at = async || h.rows().await.rows("members", ["member_id", "paused_at"]).await.unwrap();
    let first = paused_at().await;
    h.clock.advance(TimeDelta::hours(1));
    assert_eq!(h.pause(&["alice"]).await, changed(&[]));
    assert_eq!(paused_at().await, first);
    assert_eq!(h.pause(&["alice", "bob"]).await, changed(&["bob"]));
    assert_eq!(h.resume(&["bob", "alice"]).await, changed(&["bob", "alice"]));
}

#[tokio::test]
async fn the_sweeps_of_a_pause_do_not_count_as_responses() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.pause(&["alice"]).await;
    let last = h.listed("alice").await.last_answer_at;
    h.pass_after(TimeDelta::days(2)).await;
    h.clock.advance(TimeDelta::minutes(1));
    h.resume(&["alice"]).await;
    let resumed = h.listed("alice").await;
    assert_eq!(resumed.unclear_reason.as_deref(), Some("waiting_for_sweep"));
    assert_eq!(resumed.last_answer_at, last);

    h.pass_after(TimeDelta::minutes(14)).await;
    let polled = h.listed("alice").await;
    assert_eq!((polled.unclear_reason, polled.last_answer_at), (None, Some(h.clock.now())));
}
