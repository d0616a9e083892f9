//! The daemons, the world around them, and the people.

use super::{blows::Blow, is_even};
use crate::dice::Dice;
use crate::harness::{Daemon, Home, until_true};
use crate::tcp_proxy::TcpProxy;
use reconnectd::{
    sim::{
        Fault, FaultKind, Operation, Options, ReceivedEmail, Simulator, SmtpAction, SmtpFault, SmtpStage,
        TestBrowser,
    },
    store::testing::TestDatabase,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

const INSTANCES: usize = 3;
/// How long everything may take to come to rest after the last fault.
const SETTLING: Duration = Duration::from_secs(240);

/// Where the rows are.
pub(super) enum Place {
    /// The URL of a database, for three instances.
    Server(String),
    /// A file, for one.
    File,
}

/// A daemon: its folder, its ways to the others, and its process.
pub(super) struct Instance {
    pub(super) home: Home,
    pub(super) gateway: TcpProxy,
    pub(super) mail_server: TcpProxy,
    /// Only to a server.
    pub(super) database: Option<TcpProxy>,
    pub(super) daemon: Option<Daemon>,
    /// While it is stopped.
    pub(super) stopped_at: Option<Instant>,
}

impl Instance {
    async fn new(simulator: &Simulator, place: &Place) -> Self {
        let gateway = TcpProxy::start(&simulator.gateway_url()).await;
        let mail_server = TcpProxy::start(&format!("smtp://{}", simulator.smtp_addr())).await;
        let mut home = Home::new(simulator);
        home.set("sweep.confirm_sweeps", 1)
            .set("sweep.schedule", "*/3 * * * * *")
            .set("gateway.url", gateway.url())
            .set("gateway.timeout", "5s")
            .set("gateway.max_in_flight", 16)
            .set("email.smtp.port", i64::from(mail_server.address().port()));
        let database = match place {
            Place::Server(database) => Some(TcpProxy::start(database).await),
            Place::File => None,
        };
        if let Some(database) = &database {
            home.set("database.url", database.url());
        }
        Self { home, gateway, mail_server, database, daemon: None, stopped_at: None }
    }

    pub(super) async fn start(&mut self) {
        self.daemon = Some(self.home.daemon().await);
    }

    fn running(&self) -> Option<&Daemon> {
        self.daemon.as_ref().filter(|_| self.stopped_at.is_none())
    }
}

pub(super) struct Fleet {
    pub(super) simulator: Simulator,
    pub(super) place: Place,
    pub(super) instances: Vec<Instance>,
    pub(super) members: Vec<String>,
    pub(super) dice: Dice,
    pub(super) blows: BTreeMap<Blow, u32>,
    /// Of all processes that have ended.
    pub(super) logs: String,
    pressed: BTreeSet<String>,
    pub(super) started_at: Instant,
}

impl Fleet {
    pub(super) async fn start(place: Place, members: u32, seed: u64) -> Self {
        let simulator = Simulator::start(Options { members, ..Options::default() }).await.unwrap();
        let world = simulator.world();
        let flaky = |kind, share| Fault { share: Some(share), ..Fault::new(kind) };
        world.add_fault(flaky(FaultKind::Http { status: 503, retry_after: None }, 0.03));
        world.add_fault(flaky(FaultKind::Reset, 0.02).on(Operation::GetOauthUrl));
        world.add_fault(flaky(FaultKind::Delay { ms: 300 }, 0.2));
        let count = if matches!(place, Place::File) { 1 } else { INSTANCES };
        let mut instances: Vec<Instance> = Vec::new();
        for _ in 0..count {
            let mut instance = Instance::new(&simulator, &place).await;
            if let Some(first) = instances.first() {
                let keys = first.home.path("reconnectd.keys").display().to_string();
                instance.home.set("keys.file", keys);
            }
            instances.push(instance);
        }
        let members: Vec<_> = (1..=members).map(|n| format!("m{n}")).collect();
        instances[0].home.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for instance in &mut instances {
            instance.start().await;
        }
        let fleet = Self {
            simulator,
            place,
            instances,
            members,
            dice: Dice::new(seed),
            blows: BTreeMap::new(),
            logs: String::new(),
            pressed: BTreeSet::new(),
            started_at: Instant::now(),
        };
        let seen = async || fleet.rows().await.count("connections").await.unwrap() as usize;
        until_true("the first sweep", async || seen().await >= fleet.members.len()).await;
        fleet
    }

    pub(super) async fn rows(&self) -> TestDatabase {
        match &self.place {
            Place::Server(database) => TestDatabase::connect(&database.parse().unwrap()).await.unwrap(),
            Place::File => self.instances[0].home.database().await,
        }
    }

    /// The mail server fails now and then, once with each fault.
    pub(super) fn disturb_the_others(&mut self, fault: usize) {
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

    /// Members with an even number press their button, at any instance that runs, and sign in.
    pub(super) async fn press_some(&mut self, limit: usize) {
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
    pub(super) async fn come_to_rest(&mut self) {
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
                && rows.count("instances").await.unwrap() as usize == self.instances.len()
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
}
