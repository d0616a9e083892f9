//! Members whose time zone changes, or is unknown to this version.

use crate::harness::{Harness, Setup};
use chrono::{DateTime, TimeDelta, Timelike};
use chrono_tz::{Asia, Australia, Europe, Pacific, Tz};
use reconnectd::{
    domain::{Edit, MemberEdit, Time},
    sim::{SmtpFault, SmtpStage},
    store::ImportRow,
};

const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// Until when a member's email waits.
#[derive(Debug, PartialEq, Eq)]
struct Waiting {
    /// When the planner evaluates each lapse again, in milliseconds since 1970.
    lapses: Vec<i64>,
    /// The reason and `not_before` of each notice.
    notices: Vec<(String, Time)>,
}

impl Harness {
    /// Imports a row that changes nothing but the time zone.
    async fn import_zone(&self, member: &str, time_zone: Edit<Tz>) {
        let (locale, subject, label) = (Edit::Keep, Edit::Keep, Edit::Keep);
        let edit = MemberEdit { id: member.into(), email: None, locale, time_zone, subject, label };
        let rows = [ImportRow { line: 1, edit, credential: None }];
        self.app.store.import_all(&rows, self.clock.now()).await.expect("members are imported");
    }

    /// Passes every quarter of an hour, until the time has passed.
    async fn passes_for(&self, time: TimeDelta) {
        let end = self.clock.now() + time;
        while self.clock.now() < end {
            self.pass_after(QUARTER).await;
        }
    }

    /// The state, the reason, and the attempts of each notice.
    async fn notice_reasons(&self, member: &str) -> Vec<String> {
        let notices = self.notices(member).await.into_iter();
        notices
            .map(|listed| {
                format!("{} {} {}", listed.notice.state.as_str(), listed.reason, listed.notice.attempts)
            })
            .collect()
    }

    /// Until when alice's lapses and notices wait.
    async fn waiting(&self) -> Waiting {
        let lapses = self.rows().await.numbers("lapses", "plan_at").await.expect("the times");
        let notices = self.notices("alice").await.into_iter();
        Waiting { lapses, notices: notices.map(|listed| (listed.reason, listed.not_before)).collect() }
    }
}

fn nights() -> Setup {
    Setup::default().set("NOTICES__QUIET_HOURS", "21:00-08:00").set("NOTICES__TIME_ZONE", "UTC")
}

/// Alice's connection expires at 22:00 in Tokyo, where she is. In UTC it is 13:00.
async fn at_night_in_tokyo() -> Harness {
    let h = Harness::watching_with(nights(), &["alice"]).await;
    h.import_zone("alice", Edit::Set(Asia::Tokyo)).await;
    h.clock.advance(TimeDelta::hours(4));
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert!(h.mails().is_empty());
    h
}

/// The same, but alice has no zone, and the configured one is that of Tokyo.
async fn at_night_without_a_zone() -> Harness {
    let h = Harness::watching_with(nights().set("NOTICES__TIME_ZONE", "Asia/Tokyo"), &["alice"]).await;
    h.clock.advance(TimeDelta::hours(4));
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert!(h.mails().is_empty());
    h
}

/// Alice's notice was planned by day, and its delivery found that it is 01:00 in Honolulu, where she is now. In UTC it is
/// 11:00.
async fn queued_at_night_in_honolulu() -> Harness {
    let h = Harness::watching_with(nights(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 busy").times(1));
    h.pass().await;
    assert_eq!(h.notice_reasons("alice").await, ["queued mail_server_busy 1"]);
    h.import_zone("alice", Edit::Set(Pacific::Honolulu)).await;
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(h.notice_reasons("alice").await, ["queued quiet_hours 1"]);
    assert!(h.mails().is_empty());
    h
}

#[tokio::test]
async fn a_member_who_moves_to_a_zone_where_it_is_day_gets_the_email_at_once_and_once() {
    for zone in [Edit::Set(Europe::Madrid), Edit::Clear] {
        let h = at_night_in_tokyo().await;
        h.import_zone("alice", zone).await;
        h.pass().await;
        assert_eq!(h.recipients(), ["alice@example.org"]);
        h.passes_for(TimeDelta::hours(24)).await;
        assert_eq!((h.mails().len(), h.notice_reasons("alice").await), (1, vec!["sent accepted 1".into()]));
    }
}

#[tokio::test]
async fn a_member_who_gets_their_first_zone_and_it_is_day_there_gets_the_email_at_once() {
    let h = at_night_without_a_zone().await;
    h.import_zone("alice", Edit::Set(Europe::Madrid)).await;
    h.pass().await;
    assert_eq!(h.recipients(), ["alice@example.org"]);
}

#[tokio::test]
async fn a_queued_notice_that_waits_for_the_morning_is_sent_when_it_is_day_in_the_new_zone() {
    let h = queued_at_night_in_honolulu().await;
    h.import_zone("alice", Edit::Set(Europe::Madrid)).await;
    h.pass().await;
    assert_eq!(h.notice_reasons("alice").await, ["sent accepted 2"]);
    h.passes_for(TimeDelta::hours(24)).await;
    assert_eq!(h.recipients(), ["alice@example.org"]);
}

#[tokio::test]
async fn a_member_who_moves_to_a_zone_where_it_is_night_gets_the_email_in_its_morning() {
    let h = at_night_in_tokyo().await;
    // It is midnight there, and the morning comes two hours before that of Tokyo.
    h.import_zone("alice", Edit::Set(Australia::Sydney)).await;
    h.pass().await;
    assert!(h.mails().is_empty());
    let until = DateTime::from_timestamp_millis(h.waiting().await.lapses[0]).unwrap();
    assert_eq!(until.with_timezone(&Australia::Sydney).hour(), 8);
    h.passes_for(TimeDelta::minutes(7 * 60 + 45)).await;
    assert!(h.mails().is_empty());
    h.passes_for(TimeDelta::minutes(75)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_queued_notice_waits_for_the_morning_of_the_new_zone_and_loses_no_attempt() {
    let h = queued_at_night_in_honolulu().await;
    h.import_zone("alice", Edit::Set(Pacific::Apia)).await;
    h.pass().await;
    assert_eq!(h.notice_reasons("alice").await, ["queued quiet_hours 1"]);
    assert!(h.mails().is_empty());
    let until = h.waiting().await.notices[0].1;
    assert_eq!(until.with_timezone(&Pacific::Apia).hour(), 8);
    h.passes_for(TimeDelta::hours(24)).await;
    assert_eq!((h.mails().len(), h.notice_reasons("alice").await), (1, vec!["sent accepted 2".into()]));
}

#[tokio::test]
async fn an_import_that_keeps_the_zone_changes_no_time() {
    for (h, zone) in [
        (at_night_in_tokyo().await, Edit::Set(Asia::Tokyo)),
        (at_night_without_a_zone().await, Edit::Clear),
        (queued_at_night_in_honolulu().await, Edit::Set(Pacific::Honolulu)),
    ] {
        let before = h.waiting().await;
        for same in [zone, Edit::Keep] {
            h.import_zone("alice", same).await;
            assert_eq!(h.waiting().await, before);
        }
    }
}

#[tokio::test]
async fn a_change_of_zone_brings_forward_only_notices_that_wait_for_the_morning() {
    let h = Harness::watching_with(nights(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass().await;
    let before = h.waiting().await;
    assert!(before.notices[0].1 > h.clock.now(), "{before:?}");
    h.import_zone("alice", Edit::Set(Europe::Madrid)).await;
    assert_eq!(h.waiting().await.notices, before.notices);
}

#[tokio::test]
async fn an_unknown_zone_of_another_version_is_reported_once_and_the_configured_zone_applies() {
    let setup = nights().set("NOTICES__TIME_ZONE", "Asia/Tokyo");
    let h = Harness::watching_with(setup, &["alice", "bob", "carol"]).await;
    h.import_zone("carol", Edit::Set(Europe::Madrid)).await;
    for member in ["alice", "bob"] {
        h.rows().await.set_where("members", ("member_id", member), "time_zone", "Mars/Base").await.unwrap();
    }
    // 22:00 in Tokyo.
    h.clock.advance(TimeDelta::hours(4));
    for member in ["alice", "bob", "carol"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    assert_eq!(h.recipients(), ["carol@example.org"]);
    h.passes_for(TimeDelta::hours(11)).await;
    let mut recipients = h.recipients();
    recipients.sort_unstable();
    assert_eq!(recipients, ["alice@example.org", "bob@example.org", "carol@example.org"]);

    let log = h.log.text();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("event=\"unknown_time_zone\"")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("WARN") && warnings[0].contains("zone=\"Mars/Base\""), "{}", warnings[0]);
    assert!(warnings[0].contains("first_member=\"alice\""), "{}", warnings[0]);
}

#[tokio::test]
async fn a_change_of_zone_is_recorded_for_replays() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.import_zone("alice", Edit::Set(Pacific::Auckland)).await;
    let recorded = h.rows().await.count("member_changes").await.unwrap();
    assert_eq!(recorded, 2, "one when the lapse opened");
}
