//! A month of simulated time, replayed: the running policy reproduces it row for row, and another one differs as it should.

use crate::dice::Dice;
use crate::harness::{Harness, Setup};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use reconnectd::base::random;
use reconnectd::domain::{
    ConnectionId, Edit, EmailAddress, HoldKind, HoldScope, HoldState, MemberEdit, NoticeKind, NoticeState,
    Suppression,
};
use reconnectd::explain::{ReplayRow, Replayer, Summary};
use reconnectd::server::replay::{Exactness, prepare_replay};
use reconnectd::sim::{SmtpFault, SmtpStage};
use reconnectd::store::{InstanceCommand, NewHold};
use tokio_util::sync::CancellationToken;

const MEMBERS: usize = 20;
const SOURCES: [&str; 2] = ["epic", "kaiser-north"];
const ZONES: [Tz; 4] = [Tz::UTC, Tz::Asia__Kathmandu, Tz::America__St_Johns, Tz::Europe__Berlin];
const MONTH: TimeDelta = TimeDelta::days(30);

/// The daemon records its policy when it starts.
async fn recording(setup: Setup, members: &[&str]) -> Harness {
    let h = Harness::watching_with(setup, members).await;
    let daemon = h.another_app(&[]).await;
    drop(daemon.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    h
}

/// The rows under the configuration with these settings.
async fn replay(
    h: &Harness,
    settings: &[(&str, &str)],
    since: TimeDelta,
) -> (Vec<ReplayRow>, Summary, Exactness) {
    let other = h.another_app(settings).await.config.clone();
    let store = h.app.store.clone();
    let (replay, exactness) = prepare_replay(&store, &other, since, h.clock.now(), 3).await.unwrap();
    let mut rows = Vec::new();
    let show = |row: &ReplayRow| -> Result<(), reconnectd::store::StoreError> {
        rows.push(row.clone());
        Ok(())
    };
    let summary = Replayer::new(store).replay(&replay, show).await.unwrap();
    (rows, summary, exactness)
}

struct Month {
    h: Harness,
    dice: Dice,
    ids: Vec<String>,
    zones: Vec<Tz>,
    addresses: Vec<String>,
}

impl Month {
    async fn new(seed: u64, recovered: bool) -> Self {
        let setup = Setup::default()
            .members(MEMBERS as u32)
            // One request at a time, so that a seed plays the same month again.
            .set("GATEWAY__MAX_IN_FLIGHT", 1)
            .set("NOTICES__MIN_GAP", "24h")
            .set("NOTICES__MAX_PER_MONTH", 4)
            .set("NOTICES__QUIET_HOURS", "21:00-08:00")
            .set("NOTICES__EXPIRED__FIRST_AFTER", "2h")
            .set("NOTICES__DISCONNECTED__FIRST_AFTER", "4h")
            .set("NOTICES__RECOVERED__ENABLED", recovered)
            .set("STORM__MIN_MEMBERS", 8)
            .set("STORM__SHARE", 0.5)
            .set("STORM__FLEET_SHARE", 0.5)
            .set("STORM__DRIP_PER_MINUTE", 4);
        let ids: Vec<String> = (1..=MEMBERS).map(|number| format!("m{number}")).collect();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let h = recording(setup, &names).await;
        let addresses = ids.iter().map(|id| format!("{id}@example.org")).collect();
        Self { h, dice: Dice::new(seed), ids, zones: vec![Tz::UTC; MEMBERS], addresses }
    }

    fn now(&self) -> DateTime<Utc> {
        self.h.clock.now()
    }

    async fn play(&mut self) {
        self.play_for(MONTH).await;
    }

    async fn play_for(&mut self, time: TimeDelta) {
        let end = self.now() + time;
        while self.now() < end {
            for _ in 0..self.dice.below(4) {
                self.wait(40);
                self.act().await;
            }
            if self.dice.one_in(4) {
                self.wait(20);
                self.press().await;
            }
            self.wait(600);
            self.h.pass().await;
        }
        self.h.sim.mailbox().clear_faults();
    }

    fn wait(&mut self, minutes: usize) {
        self.h.clock.advance(TimeDelta::seconds(1 + self.dice.below(minutes * 60) as i64));
    }

    /// What befalls members, and what the operator does.
    async fn act(&mut self) {
        let now = self.now();
        let store = self.h.app.store.clone();
        for _ in 0..self.dice.below(3) {
            let member = self.dice.below(MEMBERS);
            let source = SOURCES[self.dice.below(2)];
            let status = ["CONNECTED", "EXPIRED", "EXPIRED", "DISCONNECTED", "ERROR"][self.dice.below(5)];
            self.h.set(&self.ids[member], source, status);
        }
        let member = self.dice.below(MEMBERS);
        let id = self.ids[member].clone();
        match self.dice.below(60) {
            0 => drop(store.pause_members(&[id.as_str().into()], now).await.unwrap()),
            1 | 2 => {
                let all: Vec<_> = self.ids.iter().map(|id| id.as_str().into()).collect();
                store.resume_members(&all, now).await.unwrap();
            }
            3 => {
                let of_member = self.dice.one_in(2);
                let scope = HoldScope {
                    member_id: of_member.then(|| id.as_str().into()),
                    source: (!of_member).then(|| SOURCES[self.dice.below(2)].into()),
                    status: self.dice.one_in(3).then(|| "EXPIRED".into()),
                };
                let until =
                    self.dice.one_in(2).then(|| now + TimeDelta::minutes(30 + self.dice.below(2_000) as i64));
                store.add_hold(&NewHold { scope, until, reason: "a test".into() }, now).await.unwrap();
            }
            4..8 => {
                for hold in store.holds().await.unwrap() {
                    if hold.state != HoldState::Ended && hold.kind == HoldKind::Operator {
                        store.release_hold(&hold.id, now).await.unwrap();
                    }
                }
            }
            8 => {
                let address: EmailAddress = self.addresses[member].parse().unwrap();
                store.suppress(address.address_hash(), Suppression::Operator, now).await.unwrap();
            }
            9..12 => {
                for address in self.addresses.clone() {
                    let address: EmailAddress = address.parse().unwrap();
                    store.unsuppress(address.address_hash(), now).await.unwrap();
                }
            }
            12..15 => {
                self.addresses[member] = if self.dice.one_in(2) {
                    format!("family{}@example.org", self.dice.below(3))
                } else {
                    format!("{id}@example.org")
                };
                self.import(member).await;
            }
            15..18 => {
                self.zones[member] = ZONES[self.dice.below(ZONES.len())];
                self.import(member).await;
            }
            18 => self.h.mail_fault(
                SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted")
                    .times(1 + self.dice.below(3) as u32),
            ),
            19 => self.ids.iter().for_each(|id| self.h.set(id, SOURCES[0], "EXPIRED")),
            20..22 => self.ids.iter().for_each(|id| self.h.set(id, SOURCES[0], "CONNECTED")),
            _ => {}
        }
    }

    async fn import(&self, member: usize) {
        let edit = MemberEdit {
            id: self.ids[member].as_str().into(),
            email: Some(self.addresses[member].parse().unwrap()),
            locale: Edit::Keep,
            time_zone: Edit::Set(self.zones[member]),
            subject: Edit::Keep,
            label: Edit::Keep,
        };
        let row = reconnectd::store::ImportRow { line: 1, edit, credential: None };
        self.h.app.store.import_all(&[row], self.now()).await.unwrap();
    }

    async fn press(&mut self) {
        let mails = self.h.mails();
        let recent = mails.len().saturating_sub(20);
        let Some(mail) = mails.get(recent + self.dice.below(mails.len().clamp(1, 20))) else { return };
        let Some(link) = mail.links().into_iter().find(|link| link.contains("/r/")) else { return };
        let action = ["snooze", "dismiss", "undo"][self.dice.below(3)];
        self.h.browser().press(&format!("{link}/{action}"), &[]).await;
    }

    async fn replay(
        &self,
        settings: &[(&str, &str)],
        since: TimeDelta,
    ) -> (Vec<ReplayRow>, Summary, Exactness) {
        replay(&self.h, settings, since).await
    }

    async fn sent(&self) -> u64 {
        let mut sent = std::collections::BTreeSet::new();
        for id in &self.ids {
            for listed in self.h.notices(id).await {
                let notice = listed.notice;
                if notice.state == NoticeState::Sent && notice.kind != NoticeKind::Invited {
                    sent.insert(notice.id.to_string());
                }
            }
        }
        sent.len() as u64
    }
}

fn differing(rows: &[ReplayRow]) -> Vec<&ReplayRow> {
    rows.iter().filter(|row| row.would_send_at != row.sent_at).collect()
}

/// One seed, or as many as this variable says.
fn seeds() -> Vec<u64> {
    match std::env::var("RECONNECTD_HISTORIES").ok().and_then(|count| count.parse().ok()) {
        Some(count) => (1..=count).collect(),
        None => vec![1],
    }
}

#[tokio::test]
async fn the_running_policy_reproduces_the_month_row_for_row_and_another_differs() {
    let mut storms_that_held = 0;
    for seed in seeds() {
        let _seeded = random::seeded(seed);
        let mut month = Month::new(seed, seed % 2 == 1).await;
        month.play().await;
        let (rows, summary, exactness) = month.replay(&[], MONTH).await;
        assert!(exactness.recorded_since.is_some() && !exactness.has_other_storms, "{exactness:?}");
        let storms = month.h.app.store.holds().await.unwrap();
        let storms = storms.iter().filter(|hold| hold.kind == HoldKind::Storm).count();
        println!("seed {seed}: {} rows, {} emails, {storms} storms", rows.len(), summary.did.emails);
        assert_eq!(differing(&rows), Vec::<&ReplayRow>::new(), "seed {seed}");
        assert_eq!(summary.did.emails, month.sent().await, "no email is missing");
        assert_eq!((summary.would, summary.differing), (summary.did, 0));
        assert!(summary.did.emails > 60 && summary.did.at_night == 0, "{summary:?}");

        let (rows, half, _) = month.replay(&[], MONTH / 2).await;
        assert_eq!(differing(&rows), Vec::<&ReplayRow>::new(), "seed {seed}: it can begin at any time");
        assert_eq!(half.differing, 0);

        let (rows, other, _) = month.replay(&[("NOTICES__EXPIRED__REMINDERS", "")], MONTH).await;
        assert_eq!(other.did, summary.did, "what was sent stays the same");
        let is_reminder = |row: &&ReplayRow| row.would_send_at.is_some() && row.reason.as_str() == "reminder";
        assert_eq!(rows.iter().find(is_reminder), None, "there are no reminders");
        let ended = |row: &&ReplayRow| row.would_send_at.is_none() && row.reason.as_str() == "cadence_ended";
        assert!(rows.iter().any(|row| ended(&row)), "the reminders that were sent are not, for this reason");

        let freely = [("NOTICES__QUIET_HOURS", ""), ("NOTICES__MAX_PER_MONTH", "1000")];
        let (rows, other, _) = month.replay(&freely, MONTH).await;
        assert!(other.would.at_night > 0 && other.would.emails > other.did.emails, "{other:?}");
        assert!(rows.iter().all(|row| row.sent_at.or(row.would_send_at).is_some()));

        let (_, stormless, exactness) = month.replay(&[("STORM__MIN_MEMBERS", "0")], MONTH).await;
        assert!(exactness.has_other_storms);
        assert!(storms > 0 || stormless.differing == 0, "{stormless:?}");
        storms_that_held += u32::from(stormless.differing > 0);
    }
    assert!(storms_that_held > 0, "no storm held an email");
}

#[tokio::test]
async fn a_purge_changes_no_replay_of_the_time_that_it_keeps() {
    let _seeded = random::seeded(3);
    let mut month = Month::new(3, true).await;
    month.play_for(TimeDelta::days(8)).await;
    for (id, source) in month.ids.iter().flat_map(|id| SOURCES.map(|source| (id, source))) {
        month.h.set(id, source, "CONNECTED");
    }
    month.h.pass().await;
    month.h.clock.advance(TimeDelta::days(60));
    month.play_for(TimeDelta::days(12)).await;
    let keys = ["TRANSITIONS", "NOTICES", "DECISIONS", "AUDIT"].map(|key| format!("RETENTION__{key}"));
    let settings: Vec<_> = keys.iter().map(|key| (key.as_str(), "60d")).collect();
    let daemon = month.h.another_app(&settings).await;
    let stop = CancellationToken::new();
    daemon.purge(&stop).await.unwrap();
    month.h.clock.advance(TimeDelta::days(1));
    let since = TimeDelta::days(14);
    let (rows, summary, _) = month.replay(&[], since).await;
    let (sent, whole) = (month.sent().await, month.replay(&[], TimeDelta::days(90)).await.1);
    daemon.purge(&stop).await.unwrap();
    assert!(month.sent().await < sent, "old emails have gone");
    let (kept, kept_summary, exactness) = month.replay(&[], since).await;
    assert!(!rows.is_empty() && summary.did.emails < whole.did.emails);
    assert_eq!(
        (format!("{kept:?}"), format!("{kept_summary:?}")),
        (format!("{rows:?}"), format!("{summary:?}"))
    );
    assert_eq!(exactness.recorded_since, Some(month.now() - TimeDelta::days(30)), "and it says since when");
}

#[tokio::test]
async fn what_broke_while_a_storm_calmed_down_is_not_held_by_a_replay_from_then_on() {
    const MINUTE: TimeDelta = TimeDelta::minutes(1);
    let setup = Setup::default()
        .members(16)
        .set("NOTICES__EXPIRED__FIRST_AFTER", "5m")
        .set("STORM__MIN_MEMBERS", 10)
        .set("STORM__FLEET_SHARE", 1)
        .set("STORM__DRIP_PER_MINUTE", 1);
    let ids: Vec<String> = (1..=16).map(|number| format!("m{number}")).collect();
    let h = recording(setup, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    ids[..14].iter().for_each(|id| h.set(id, "epic", "EXPIRED"));
    for _ in 0..5 {
        h.pass_after(MINUTE * 15).await;
    }
    let state = async || h.app.store.holds().await.unwrap()[0].state;
    assert_eq!(state().await, HoldState::Dripping);
    h.set("m16", "epic", "EXPIRED");
    h.pass_after(MINUTE).await;
    let began = h.clock.now();
    for _ in 0..6 {
        h.pass_after(MINUTE).await;
    }
    assert_eq!(state().await, HoldState::Dripping);
    h.set("m16", "epic", "CONNECTED");
    for _ in 0..20 {
        h.pass_after(MINUTE).await;
    }
    let (rows, summary, _) = replay(&h, &[], h.clock.now() - began).await;
    assert!(rows.iter().any(|row| row.member_id.as_str() == "m16" && row.sent_at.is_some()), "{rows:#?}");
    assert_eq!((differing(&rows), summary.differing), (vec![], 0));
}

/// Alice's, at home in UTC, where the clock shows nine.
async fn recording_alice(setup: Setup) -> Harness {
    recording(setup.set("NOTICES__QUIET_HOURS", "21:00-08:00"), &["alice"]).await
}

#[tokio::test]
async fn what_waits_to_be_said_about_a_recovery_is_said_in_a_replay_from_then_on() {
    let h = recording_alice(Setup::default().set("NOTICES__RECOVERED__ENABLED", true)).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(TimeDelta::hours(12)).await;
    assert_eq!(h.mails().len(), 1, "it is night");
    h.clock.advance(TimeDelta::hours(1));
    let began = h.clock.now();
    h.pass_after(TimeDelta::hours(11)).await;
    assert_eq!(h.mails().len(), 2);
    let (rows, summary, _) = replay(&h, &[], h.clock.now() - began).await;
    assert_eq!((differing(&rows), summary.did.emails, summary.differing), (vec![], 1, 0));
}

#[tokio::test]
async fn an_email_that_a_night_puts_off_takes_nothing_along_in_a_replay() {
    let h = recording_alice(Setup::default().set("NOTICES__MIN_GAP", "24h")).await;
    h.set("alice", "kaiser-north", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(100));
    for _ in 0..13 {
        h.pass_after(TimeDelta::hours(1)).await;
    }
    h.sim.mailbox().clear_faults();
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    h.pass_after(TimeDelta::hours(11)).await;
    assert_eq!(h.mails().len(), 1);
    let (rows, summary, _) = replay(&h, &[], TimeDelta::days(2)).await;
    let about: Vec<_> = rows.iter().flat_map(|row| &row.connections).map(ConnectionId::as_str).collect();
    assert_eq!(about, ["kaiser-north"], "{rows:#?}");
    assert_eq!((differing(&rows), summary.did.emails, summary.differing), (vec![], 1, 0));
}

#[tokio::test]
async fn the_end_of_a_hold_lets_an_email_go_in_a_replay_from_before_its_member_came() {
    let h = recording_alice(Setup::default()).await;
    let scope = HoldScope { member_id: Some("alice".into()), ..HoldScope::default() };
    let hold = NewHold { scope, until: None, reason: "a test".into() };
    let hold = h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    h.clock.advance(TimeDelta::hours(1));
    h.app.store.release_hold(&hold.id, h.clock.now()).await.unwrap();
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 1);
    h.pass_after(TimeDelta::hours(1)).await;
    let (rows, summary, _) = replay(&h, &[], TimeDelta::days(2)).await;
    assert_eq!((differing(&rows), summary.did.emails, summary.differing), (vec![], 1, 0));
}
