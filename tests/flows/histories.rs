//! Random histories: whatever happens in whatever order, no email goes out that must not, and none is forgotten.
//!
//! `RECONNECTD_HISTORIES` sets how many histories are played; each is a few hundred passes.

use crate::harness::{Harness, Setup};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use futures_util::future::join;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reconnectd::domain::{
    Edit, EmailAddress, HoldKind, HoldScope, HoldState, MemberEdit, NoticeKind, NoticeState, Suppression,
};
use reconnectd::server::components::App;
use reconnectd::sim::{Fault, FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage};
use reconnectd::store::{HoldRecord, InstanceCommand, ListedNotice, NewHold};
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;

const MEMBERS: [&str; 5] = ["m1", "m2", "m3", "m4", "m5"];
const SOURCES: [&str; 2] = ["epic", "kaiser-north"];
const STATUSES: [&str; 4] = ["CONNECTED", "EXPIRED", "EXPIRED", "DISCONNECTED"];
const ZONES: [Tz; 4] = [Tz::UTC, Tz::Asia__Kathmandu, Tz::America__St_Johns, Tz::Europe__Berlin];
/// The policies between which the operator changes. The limits of an address stay the same.
const POLICIES: [&[(&str, &str)]; 4] = [
    &[],
    &[("NOTICES__EXPIRED__REMINDERS", "1d")],
    &[("NOTICES__EXPIRED__FIRST_AFTER", "30h"), ("SWEEP__CONFIRM_SWEEPS", "2")],
    &[("NOTICES__DISCONNECTED__ENABLED", "false"), ("NOTICES__EXPIRED__REMINDERS", "")],
];
const GAP: TimeDelta = TimeDelta::hours(24);
const CAP: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Status {
        member: usize,
        source: usize,
        status: usize,
    },
    Outage {
        source: usize,
        status: usize,
    },
    Pause {
        member: usize,
        is_paused: bool,
    },
    Hold {
        member: Option<usize>,
        source: Option<usize>,
    },
    Release,
    Suppress {
        member: usize,
        is_suppressed: bool,
    },
    /// To the address that several share, or back to an own one.
    Move {
        member: usize,
        is_shared: bool,
    },
    Zone {
        member: usize,
        zone: usize,
    },
    Policy(usize),
    GatewayFault {
        member: usize,
    },
    MailFault {
        is_after_acceptance: bool,
    },
    /// A press on the page of the latest email.
    Press {
        is_snooze: bool,
    },
    /// A process that dies after it has claimed.
    Crash,
    Pass {
        minutes: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (member, source) = (0..MEMBERS.len(), 0..SOURCES.len());
    let status = 0..STATUSES.len();
    let step = prop_oneof![
        12 => (member.clone(), source.clone(), status.clone())
            .prop_map(|(member, source, status)| Step::Status { member, source, status }),
        1 => (source.clone(), status).prop_map(|(source, status)| Step::Outage { source, status }),
        1 => (member.clone(), prop::bool::weighted(0.3)).prop_map(|(member, is_paused)| Step::Pause { member, is_paused }),
        1 => (prop::option::of(member.clone()), prop::option::of(source))
            .prop_map(|(member, source)| Step::Hold { member, source }),
        3 => Just(Step::Release),
        1 => (member.clone(), prop::bool::weighted(0.3))
            .prop_map(|(member, is_suppressed)| Step::Suppress { member, is_suppressed }),
        2 => (member.clone(), any::<bool>()).prop_map(|(member, is_shared)| Step::Move { member, is_shared }),
        1 => (member.clone(), 0..ZONES.len()).prop_map(|(member, zone)| Step::Zone { member, zone }),
        1 => (0..POLICIES.len()).prop_map(Step::Policy),
        1 => member.prop_map(|member| Step::GatewayFault { member }),
        1 => any::<bool>().prop_map(|is_after_acceptance| Step::MailFault { is_after_acceptance }),
        1 => any::<bool>().prop_map(|is_snooze| Step::Press { is_snooze }),
        1 => Just(Step::Crash),
        20 => prop_oneof![5..90_i64, 90..1_500_i64].prop_map(|minutes| Step::Pass { minutes }),
    ];
    prop::collection::vec(step, 40..90)
}

/// What the test knows by itself.
struct World {
    h: Harness,
    app: App,
    zones: BTreeMap<&'static str, Tz>,
    /// When emails were sent, by address.
    emails: BTreeMap<String, Vec<DateTime<Utc>>>,
    shared: BTreeSet<&'static str>,
    paused: BTreeSet<&'static str>,
    /// At the gateway.
    statuses: BTreeMap<(&'static str, &'static str), &'static str>,
    sent: BTreeSet<String>,
}

impl World {
    async fn new() -> Self {
        let setup = Setup::default()
            .members(5)
            .set("NOTICES__MIN_GAP", "24h")
            .set("NOTICES__MAX_PER_MONTH", CAP)
            .set("NOTICES__QUIET_HOURS", "21:00-08:00")
            .set("NOTICES__EXPIRED__FIRST_AFTER", "2h")
            .set("STORM__MIN_MEMBERS", 4)
            .set("STORM__SHARE", 0.8)
            .set("STORM__FLEET_SHARE", 0.8);
        let h = Harness::watching_with(setup, &MEMBERS).await;
        let app = h.another_app(&[]).await;
        let zones = MEMBERS.map(|member| (member, Tz::UTC)).into();
        let (emails, shared, paused, statuses, sent) = Default::default();
        Self { h, app, zones, emails, shared, paused, statuses, sent }
    }

    fn address(&self, member: &str) -> String {
        if self.shared.contains(member) {
            "all@example.org".to_owned()
        } else {
            format!("{member}@example.org")
        }
    }

    async fn take(&mut self, step: &Step) {
        let now = self.h.clock.now();
        let store = self.h.app.store.clone();
        match step {
            Step::Status { member, source, status } => {
                self.set(MEMBERS[*member], SOURCES[*source], STATUSES[*status]);
            }
            Step::Outage { source, status } => {
                MEMBERS.iter().for_each(|member| self.set(member, SOURCES[*source], STATUSES[*status]));
            }
            Step::Pause { member, is_paused } => {
                let members = [MEMBERS[*member].into()];
                if *is_paused {
                    self.paused.insert(MEMBERS[*member]);
                    store.pause_members(&members, now).await.unwrap();
                } else {
                    self.paused.remove(MEMBERS[*member]);
                    store.resume_members(&members, now).await.unwrap();
                }
            }
            Step::Hold { member, source } => {
                let scope = HoldScope {
                    member_id: member.map(|member| MEMBERS[member].into()),
                    source: source.map(|source| SOURCES[source].into()),
                    status: None,
                };
                let hold = NewHold { scope, until: None, reason: "a step".to_owned() };
                store.add_hold(&hold, now).await.unwrap();
            }
            Step::Release => self.release().await,
            Step::Suppress { member, is_suppressed } => {
                let address: EmailAddress = self.address(MEMBERS[*member]).parse().unwrap();
                if *is_suppressed {
                    store.suppress(address.address_hash(), Suppression::Operator, now).await.unwrap();
                } else {
                    store.unsuppress(address.address_hash(), now).await.unwrap();
                }
            }
            Step::Move { member, is_shared } => {
                let member = MEMBERS[*member];
                if *is_shared {
                    self.shared.insert(member);
                } else {
                    self.shared.remove(member);
                }
                self.import(member).await;
            }
            Step::Zone { member, zone } => {
                self.zones.insert(MEMBERS[*member], ZONES[*zone]);
                self.import(MEMBERS[*member]).await;
            }
            Step::Policy(policy) => self.change_policy(POLICIES[*policy]).await,
            Step::GatewayFault { member } => {
                let fault = Fault::new(FaultKind::NullData).on(Operation::GetMemberConnections);
                self.h.sim.world().add_fault(fault.member(MEMBERS[*member]).times(2));
            }
            Step::MailFault { is_after_acceptance } => self.h.mail_fault(if *is_after_acceptance {
                SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop).times(1)
            } else {
                SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1)
            }),
            Step::Press { is_snooze } => self.press(*is_snooze).await,
            Step::Crash => {
                let limits = reconnectd::store::ClaimLimits::slots(1);
                store.claim_notices(now, now + TimeDelta::minutes(1), &limits).await.unwrap();
            }
            Step::Pass { minutes } => self.pass(TimeDelta::minutes(*minutes)).await,
        }
    }

    fn set(&mut self, member: &'static str, source: &'static str, status: &'static str) {
        self.h.set(member, source, status);
        self.statuses.insert((member, source), status);
    }

    async fn import(&self, member: &'static str) {
        let edit = MemberEdit {
            id: member.into(),
            email: Some(self.address(member).parse().unwrap()),
            locale: Edit::Keep,
            time_zone: Edit::Set(self.zones[member]),
            subject: Edit::Keep,
            label: Edit::Keep,
        };
        let row = reconnectd::store::ImportRow { line: 1, edit, credential: None };
        self.h.app.store.import_all(&[row], self.h.clock.now()).await.unwrap();
    }

    async fn change_policy(&mut self, settings: &[(&str, &str)]) {
        let daemon = self.h.another_app(settings).await;
        drop(daemon.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
        // A daemon that has given up its lock sends nothing for long.
        self.app = self.h.another_app(settings).await;
    }

    async fn release(&self) {
        for hold in self.h.app.store.holds().await.unwrap() {
            if hold.state != HoldState::Ended {
                self.h.app.store.release_hold(&hold.id, self.h.clock.now()).await.unwrap();
            }
        }
    }

    async fn press(&self, is_snooze: bool) {
        let Some(mail) = self.h.mails().pop() else { return };
        let Some(link) = mail.links().into_iter().find(|link| link.contains("/r/")) else { return };
        let action = if is_snooze { "snooze" } else { "dismiss" };
        self.h.browser().press(&format!("{link}/{action}"), &[]).await;
    }

    /// Two processes pass at the same time.
    async fn pass(&mut self, wait: TimeDelta) {
        self.h.clock.advance(wait);
        self.app.deliverer.rescue_expired_leases().await.unwrap();
        let stop = CancellationToken::new();
        // A pass of the second finds what the first has left.
        let (first, second) = join(self.app.run_once(&stop), self.app.run_once(&stop)).await;
        first.unwrap();
        second.unwrap();
        self.check().await;
    }

    async fn listed(&self) -> BTreeMap<String, ListedNotice> {
        let mut all = BTreeMap::new();
        for member in MEMBERS {
            for listed in self.h.notices(member).await {
                all.insert(listed.notice.id.to_string(), listed);
            }
        }
        all
    }

    /// Of the emails that were sent in this pass, none should not have been.
    async fn check(&mut self) {
        let now = self.h.clock.now();
        let all = self.listed().await;
        let holds: Vec<HoldRecord> = self.h.app.store.holds().await.unwrap();
        let mut open = BTreeSet::new();
        for member in MEMBERS {
            for lapse in self.h.lapses(member).await {
                if lapse.state.as_str() == "open" {
                    open.insert(lapse.id.to_string());
                }
            }
        }
        let mut steps = BTreeSet::new();
        for (id, listed) in &all {
            let ListedNotice { notice, .. } = listed;
            if notice.state != NoticeState::Sent || notice.kind != NoticeKind::Reconnect {
                continue;
            }
            for item in &notice.items {
                assert!(steps.insert((item.lapse_id.to_string(), item.step)), "a step was sent twice");
            }
            if !self.sent.insert(id.clone()) {
                continue;
            }
            let members: BTreeSet<&str> = notice.items.iter().map(|item| item.member_id.as_str()).collect();
            let addresses: BTreeSet<String> = members.iter().map(|member| self.address(member)).collect();
            assert_eq!(addresses.len(), 1, "an email is to one address");
            let address = addresses.into_iter().next().unwrap();
            assert!(members.iter().all(|member| !self.paused.contains(*member)), "{id}: to a paused member");
            assert!(!self.h.app.store.is_suppressed(&notice.member_id).await.unwrap(), "{id}: suppressed");
            let zone = self.zones.get(notice.member_id.as_str()).copied().unwrap();
            let wall = now.with_timezone(&zone).time();
            let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
            assert!(wall >= at(8) && wall < at(21), "{id}: at {wall} in {zone}");
            for item in &notice.items {
                assert!(open.contains(item.lapse_id.as_str()), "{id}: about a lapse that has ended");
                // The sweep of one process can begin a storm's hold while the other process hands over an email.
                let covers = |hold: &&HoldRecord| {
                    hold.state == HoldState::Holding
                        && (hold.kind == HoldKind::Operator || hold.since < now)
                        && hold.scope.source.as_ref().is_none_or(|source| *source == item.connection_id)
                        && hold.scope.member_id.as_ref().is_none_or(|member| *member == item.member_id)
                };
                assert!(!holds.iter().any(|hold| covers(&hold)), "{id}: while held");
            }
            let times = self.emails.entry(address).or_default();
            assert!(times.iter().all(|time| now - *time >= GAP), "{id}: within the gap");
            let of_month = times.iter().filter(|time| now - **time < TimeDelta::days(30)).count();
            assert!(of_month < CAP, "{id}: above the cap");
            times.push(now);
        }
    }

    /// When every obstacle is gone, each open lapse gets its email.
    async fn finish(&mut self) {
        self.h.sim.world().clear_faults();
        self.h.sim.mailbox().clear_faults();
        let now = self.h.clock.now();
        self.release().await;
        self.paused.clear();
        self.h.app.store.resume_members(&MEMBERS.map(Into::into), now).await.unwrap();
        for member in MEMBERS.iter().copied().chain(["all"]) {
            let address: EmailAddress = format!("{member}@example.org").parse().unwrap();
            self.h.app.store.unsuppress(address.address_hash(), now).await.unwrap();
        }
        self.change_policy(POLICIES[0]).await;
        // At 13:00 UTC it is day in all zones.
        let day = (now + TimeDelta::days(1)).date_naive().and_hms_opt(13, 0, 0).unwrap().and_utc();
        self.pass(day - now).await;
        for _ in 0..40 {
            self.pass(TimeDelta::days(1)).await;
        }
        let holds = self.h.app.store.holds().await.unwrap();
        assert!(holds.iter().all(|hold| hold.state == HoldState::Ended), "{holds:?}");
        let all = self.listed().await;
        let is_told = |lapse: &str| {
            all.values().any(|listed| {
                listed.notice.state == NoticeState::Sent
                    && listed.notice.items.iter().any(|item| item.lapse_id.as_str() == lapse)
            })
        };
        for ((member, source), status) in &self.statuses {
            let lapses = self.h.lapses(member).await;
            let last = lapses.iter().rfind(|lapse| lapse.connection_id.as_str() == *source);
            let state = last
                .map(|lapse| (lapse.state.as_str(), lapse.outcome.map_or("", |outcome| outcome.as_str())));
            let is_broken = *status != "CONNECTED";
            match (state, last) {
                (None | Some(("closed", "recovered")), _) => {
                    assert!(!is_broken, "{member} {source}: no lapse")
                }
                (Some(("closed", "dismissed")), _) => {
                    assert!(is_broken, "{member} {source}: works, and is dismissed")
                }
                (Some(("open", _)), Some(lapse)) => {
                    assert!(is_broken && is_told(lapse.id.as_str()), "{member} {source}: no email\n{all:#?}");
                }
                other => panic!("{member} {source} {status}: {other:?}"),
            }
        }
    }
}

#[test]
fn whatever_happens_no_email_goes_out_that_must_not_and_none_is_forgotten() {
    let histories = std::env::var("RECONNECTD_HISTORIES").ok().map(|count| count.parse().expect("a number"));
    let config = Config {
        cases: histories.unwrap_or(2),
        max_shrink_iters: 20,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = match histories {
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        // A long run takes other histories each time.
        Some(_) => TestRunner::new(config),
    };
    let play = |steps: Vec<Step>| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await;
            }
            let before = world.sent.len();
            world.finish().await;
            let storms = world.h.log.text().matches("event=\"storm_started\"").count();
            println!(
                "{} steps, {before} + {} emails, {storms} storms",
                steps.len(),
                world.sent.len() - before
            );
        });
        Ok(())
    };
    runner.run(&steps(), play).unwrap();
}
