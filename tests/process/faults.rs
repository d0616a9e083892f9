//! Three instances on one PostgreSQL database, a gateway and a mail server that fail now and then, and faults of the
//! instances: killed, stopped for longer than their leases and continued, cut off from the database, and their sessions
//! ended by the server. `RECONNECTD_TEST_FAULTS` is the number of faults, `RECONNECTD_TEST_SEED` chooses them.

use crate::database_proxy::DatabaseProxy;
use crate::harness::{Daemon, Home, until_true};
use crate::postgres;
use reconnectd::{
    sim::{
        Fault, FaultKind, Operation, Options, ReceivedEmail, Simulator, SmtpAction, SmtpFault, SmtpStage,
        TestBrowser,
    },
    store::testing::TestDatabase,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::Arc,
    time::{Duration, Instant},
};

const INSTANCES: usize = 3;
/// In the suite. About two hundred take eight minutes.
const FAULTS: u32 = 9;
const MEMBERS: u32 = 180;
/// In a long run, whose connections expire while one fault passes.
const MEMBERS_PER_FAULT: u32 = 3;
/// Until the others have noticed: a silent instance is presumed dead after 15 seconds, and they look every 5.
const STOP: Duration = Duration::from_secs(22);
/// A lost database is noticed, and work goes on meanwhile elsewhere.
const OUTAGE: Duration = Duration::from_millis(1_500);
/// How long everything may take to come to rest after the last fault.
const SETTLING: Duration = Duration::from_secs(240);

/// What happens to an instance, or to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    Kill,
    Stop,
    CutOff,
    StallDatabase,
    EndSessions,
    Terminate,
}

const BLOWS: [Blow; 9] = [
    Blow::Kill,
    Blow::Stop,
    Blow::CutOff,
    Blow::Kill,
    Blow::EndSessions,
    Blow::Terminate,
    Blow::Kill,
    Blow::StallDatabase,
    Blow::CutOff,
];

/// SplitMix64: the same faults for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ (value >> 31)) % limit as u64) as usize
    }
}

/// One of the three: its folder, its way to the database, and its process.
struct Instance {
    home: Home,
    proxy: DatabaseProxy,
    daemon: Option<Daemon>,
    /// While it is stopped.
    stopped_at: Option<Instant>,
}

impl Instance {
    async fn start(&mut self) {
        self.daemon = Some(self.home.daemon().await);
    }

    fn running(&self) -> Option<&Daemon> {
        self.daemon.as_ref().filter(|_| self.stopped_at.is_none())
    }

    fn resume(&mut self) {
        if let (Some(daemon), Some(_)) = (&self.daemon, self.stopped_at.take()) {
            daemon.running.signal("CONT");
        }
    }

    fn resume_if_due(&mut self) {
        if self.stopped_at.is_some_and(|at| at.elapsed() >= STOP) {
            self.resume();
        }
    }
}

struct Fleet {
    simulator: Simulator,
    database: String,
    instances: Vec<Instance>,
    members: Vec<String>,
    dice: Dice,
    blows: BTreeMap<Blow, u32>,
    /// Of all processes that have ended.
    logs: String,
    pressed: BTreeSet<String>,
    started_at: Instant,
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_three_instances_each_step_is_emailed_and_nothing_is_doubled_or_stuck() {
    let Some(database) = postgres::new_database() else { return };
    let faults = number("RECONNECTD_TEST_FAULTS", FAULTS.into()) as u32;
    let mut fleet = Fleet::start(database, MEMBERS.max(faults * MEMBERS_PER_FAULT)).await;
    let per_fault = fleet.members.len().div_ceil(faults as usize);
    let mut waiting = fleet.members.clone();
    for fault in 0..faults {
        for member in waiting.split_off(waiting.len().saturating_sub(per_fault)) {
            fleet.simulator.world().set_status(&member, "epic", "EXPIRED").unwrap();
        }
        fleet.disturb_the_others(fault);
        fleet.strike(BLOWS[fault as usize % BLOWS.len()]).await;
        fleet.press_some(10).await;
    }
    let struck = fleet.started_at.elapsed();
    fleet.come_to_rest().await;
    fleet.verify(struck).await;
}

impl Fleet {
    async fn start(database: String, members: u32) -> Self {
        let simulator = Simulator::start(Options { members, ..Options::default() }).await.unwrap();
        let world = simulator.world();
        let flaky = |kind, share| Fault { share: Some(share), ..Fault::new(kind) };
        world.add_fault(flaky(FaultKind::Http { status: 503, retry_after: None }, 0.03));
        world.add_fault(flaky(FaultKind::Reset, 0.02).on(Operation::GetOauthUrl));
        world.add_fault(flaky(FaultKind::Delay { ms: 300 }, 0.2));
        let mut instances: Vec<Instance> = Vec::new();
        for _ in 0..INSTANCES {
            let proxy = DatabaseProxy::start(&database).await;
            let mut home = Home::new(&simulator);
            home.set("database.url", proxy.url())
                .set("sweep.confirm_sweeps", 1)
                .set("sweep.schedule", "*/3 * * * * *")
                .set("gateway.timeout", "5s")
                .set("gateway.max_in_flight", 16);
            if let Some(first) = instances.first() {
                home.set("keys.file", first.home.path("reconnectd.keys").display().to_string());
            }
            instances.push(Instance { home, proxy, daemon: None, stopped_at: None });
        }
        let members: Vec<_> = (1..=members).map(|n| format!("m{n}")).collect();
        instances[0].home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for instance in &mut instances {
            instance.start().await;
        }
        let seed = number("RECONNECTD_TEST_SEED", 1);
        let fleet = Self {
            simulator,
            database,
            instances,
            members,
            dice: Dice(seed),
            blows: BTreeMap::new(),
            logs: String::new(),
            pressed: BTreeSet::new(),
            started_at: Instant::now(),
        };
        let seen = async || fleet.rows().await.count("connections").await.unwrap() as usize;
        until_true("the first sweep", async || seen().await >= fleet.members.len()).await;
        fleet
    }

    async fn rows(&self) -> TestDatabase {
        TestDatabase::connect(&self.database.parse().unwrap()).await.unwrap()
    }

    /// The mail server fails now and then, once with each fault.
    fn disturb_the_others(&mut self, fault: u32) {
        let mut once = match fault % 5 {
            0 => SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop),
            1 => SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 try again later"),
            2 => SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 2_000 }),
            3 => SmtpFault::new(SmtpStage::Data, SmtpAction::Drop),
            _ => SmtpFault::new(SmtpStage::Rcpt, SmtpAction::Delay { ms: 2_000 }),
        };
        once.times = Some(2);
        self.simulator.mailbox().script(once);
    }

    async fn strike(&mut self, blow: Blow) {
        *self.blows.entry(blow).or_default() += 1;
        // At no particular moment.
        tokio::time::sleep(Duration::from_millis(200 + self.dice.below(800) as u64)).await;
        // One that is stopped is left alone, and once it goes on, it has time to notice what became of its leases.
        let running: Vec<_> = (0..INSTANCES).filter(|n| self.instances[*n].stopped_at.is_none()).collect();
        self.instances.iter_mut().for_each(Instance::resume_if_due);
        let victim = running[self.dice.below(running.len())];
        match blow {
            Blow::Kill => {
                let daemon = self.instances[victim].daemon.take().expect("it runs");
                self.logs += &daemon.running.kill().stderr;
                self.instances[victim].start().await;
            }
            Blow::Terminate => {
                let daemon = self.instances[victim].daemon.take().expect("it runs");
                self.logs += &daemon.running.stopped().await.well().stderr;
                self.instances[victim].start().await;
            }
            // At least one goes on.
            Blow::Stop if running.len() < 2 => {}
            Blow::Stop => {
                let instance = &mut self.instances[victim];
                instance.daemon.as_ref().expect("it runs").running.signal("STOP");
                instance.stopped_at = Some(Instant::now());
            }
            Blow::CutOff => {
                self.instances[victim].proxy.cut();
                tokio::time::sleep(OUTAGE).await;
                self.instances[victim].proxy.restore();
            }
            Blow::StallDatabase => {
                self.instances.iter().for_each(|instance| instance.proxy.stall());
                tokio::time::sleep(OUTAGE).await;
                self.instances.iter().for_each(|instance| instance.proxy.restore());
            }
            Blow::EndSessions => postgres::run_in(
                &postgres::name_of(&self.database),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            ),
        }
    }

    /// Members with an even number press their button, at any instance that runs, and sign in.
    async fn press_some(&mut self, limit: usize) {
        let mails = self.simulator.mailbox().mails();
        let mut latest: BTreeMap<String, Arc<ReceivedEmail>> = BTreeMap::new();
        for mail in mails {
            latest.insert(mail.to.concat().replace("@example.org", ""), mail);
        }
        let is_due = |member: &String| is_even(member) && !self.pressed.contains(member);
        let due: Vec<_> = latest.into_iter().filter(|(member, _)| is_due(member)).take(limit).collect();
        for (member, mail) in due {
            let running: Vec<_> = self.instances.iter().filter_map(Instance::running).collect();
            let daemon = running[self.dice.below(running.len())];
            let (person, link) = (TestBrowser::new().unwrap(), daemon.link(&mail));
            // An instance whose database is away says so; the member tries again later.
            if let Ok(pressed) = person.press(&link, &[]).await
                && let (303, Some(location)) = (pressed.status, pressed.location)
                && person.allow(&location).await.is_ok()
            {
                self.pressed.insert(member);
            }
        }
    }

    /// Everything works again, and what waits for a later attempt is tried now.
    async fn come_to_rest(&mut self) {
        self.simulator.world().clear_faults();
        self.simulator.mailbox().clear_faults();
        let since = Instant::now();
        loop {
            self.instances.iter_mut().for_each(Instance::resume_if_due);
            self.instances[0].home.run(&["notices", "retry", "--all"]).await;
            self.press_some(1_000).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let mut rows = self.rows().await;
            let states = rows.texts("notices", "state").await.unwrap();
            let recovered = rows.texts("lapses", "outcome").await.unwrap();
            let recovered = recovered.iter().filter(|outcome| *outcome == "recovered").count();
            let expected = self.members.iter().filter(|member| is_even(member)).count();
            let is_done = states.len() == self.members.len()
                // A second copy is not sent to a member who used the first.
                && states.iter().all(|state| ["sent", "cancelled"].contains(&&**state))
                && recovered == expected
                // Those that were killed are known to be dead.
                && rows.count("instances").await.unwrap() as usize == INSTANCES
                && self.instances.iter().all(|instance| instance.stopped_at.is_none());
            if is_done {
                break;
            }
            assert!(
                since.elapsed() < SETTLING,
                "{} of {} notices, {recovered} of {expected} recovered: {:?}",
                states.len(),
                self.members.len(),
                states.iter().fold(BTreeMap::new(), |mut counts, state| {
                    *counts.entry(state).or_insert(0) += 1;
                    counts
                })
            );
        }
        for instance in &mut self.instances {
            let daemon = instance.daemon.take().expect("it runs");
            self.logs += &daemon.running.stopped().await.well().stderr;
        }
    }

    /// `struck`: how long the faults took.
    async fn verify(&self, struck: Duration) {
        // The last sweep may have been interrupted.
        self.instances[0].home.run(&["once"]).await.well();
        let mut rows = self.rows().await;
        for table in ["sweep_pages", "token_refresh_leases", "instances"] {
            assert_eq!(rows.count(table).await.unwrap(), 0, "{table}: nothing is left");
        }
        let repeated = self.verify_emails(&mut rows).await;
        self.verify_paths().await;
        let presumed_dead = self.logs.matches("event=\"instance_was_presumed_dead\"").count();
        let released = self.logs.matches("event=\"leases_released\"").count();
        #[expect(clippy::print_stdout, reason = "figures")]
        {
            println!(
                "{struck:.0?} of {:.0?}: {:?}; {} emails, {repeated} sent again; {presumed_dead} presumed dead, {released} times leases were released",
                self.started_at.elapsed(),
                self.blows,
                self.simulator.mailbox().received()
            );
        }
        assert!(presumed_dead > 0 && released > 0, "no instance was stopped for long enough");
    }

    /// Each notice arrived, and once, unless the response of the mail server was lost. Returns how many arrived again.
    async fn verify_emails(&self, rows: &mut TestDatabase) -> usize {
        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        for mail in self.simulator.mailbox().mails() {
            *copies.entry(mail.to.concat().replace("@example.org", "")).or_default() += 1;
        }
        let notices = rows.rows("notices", ["notice_id", "member_id"]).await.unwrap();
        let attempts = rows.rows("attempts", ["notice_id", "attempt", "outcome"]).await.unwrap();
        let tokens = rows.rows("unsubscribe_tokens", ["notice_id", "attempt"]).await.unwrap();
        let tokens: BTreeSet<_> = tokens.into_iter().collect();
        let mut repeated = 0;
        assert_eq!(notices.len(), self.members.len());
        for [notice, member] in notices {
            let is_lost = |[of, attempt, outcome]: &&[String; 3]| {
                *of == notice
                    && (outcome == "unknown"
                        || (outcome == "interrupted" && tokens.contains(&[of.clone(), attempt.clone()])))
            };
            let lost = attempts.iter().filter(is_lost).count();
            let copies = copies.get(&member).copied().unwrap_or_default();
            assert!((1..=1 + lost).contains(&copies), "{member}: {copies} emails, {lost} lost responses");
            repeated += copies - 1;
        }
        repeated
    }

    /// Each change was recorded, and once.
    async fn verify_paths(&self) {
        let transitions = self.instances[0].home.json(&["transitions"]).await;
        let mut paths: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
        for transition in transitions.iter().filter(|transition| transition["connection_id"] == "epic") {
            let member = transition["member_id"].as_str().unwrap().to_owned();
            paths.entry(member).or_default().push(transition["to"].clone());
        }
        for member in &self.members {
            let path = &paths[member];
            let expected = [json!("CONNECTED"), json!("EXPIRED"), json!("CONNECTED")];
            assert_eq!(path, &expected[..if is_even(member) { 3 } else { 2 }], "{member}");
        }
    }
}

fn is_even(member: &str) -> bool {
    member.ends_with(['0', '2', '4', '6', '8'])
}
