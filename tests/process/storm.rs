//! A source breaks for nearly all its members at once, and the daemon is killed in the sweep that sees it, during the hold,
//! and while the rest goes out. `RECONNECTD_TEST_STORM` is the number of members; in the suite, it is small.

use crate::harness::{Daemon, Home};
use reconnectd::sim::{Operation, Options, Simulator};
use std::{
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

/// In the suite. 20,000 take about ten minutes.
const MEMBERS: u32 = 300;
/// Of a hundred.
const RECOVERING: u32 = 95;
const ORDINARY: &str = "kaiser-north";
/// The parts of the members, in eighths, that break one after another. Two together are a storm.
const WAVES: [u32; 4] = [1, 1, 3, 3];

/// What depends on the number of members.
struct Scale {
    members: u32,
    /// With another source, too.
    others: u32,
    /// Of the others: those whose connection to that source breaks.
    ordinary: u32,
    window: &'static str,
    first_after: &'static str,
    drip_per_minute: u32,
    patience: Duration,
    /// Between two looks at the database.
    pause: Duration,
}

impl Scale {
    fn new() -> Self {
        let members = env::var("RECONNECTD_TEST_STORM")
            .map_or(MEMBERS, |text| text.parse().expect("RECONNECTD_TEST_STORM: a number"));
        if members <= 1_000 {
            // The patience with each lapse ends before the storm, so one portion is all.
            let (window, first_after) = ("10s", "9s");
            let (patience, pause) = (Duration::from_secs(120), Duration::from_millis(50));
            return Self {
                members,
                others: 12,
                ordinary: 3,
                window,
                first_after,
                drip_per_minute: 60,
                patience,
                pause,
            };
        }
        let (window, first_after) = ("60s", "240s");
        let (patience, pause) = (Duration::from_secs(420), Duration::from_millis(500));
        Self {
            members,
            others: 200,
            ordinary: 10,
            window,
            first_after,
            drip_per_minute: 500,
            patience,
            pause,
        }
    }

    fn remaining(&self) -> u32 {
        self.members - self.members * RECOVERING / 100
    }
}

struct Storm {
    scale: Scale,
    simulator: Simulator,
    home: Home,
    daemon: Option<Daemon>,
    /// Of all processes that have ended.
    log: String,
    started_at: Instant,
    figures: Vec<String>,
}

impl Storm {
    /// Everybody is watched, and no daemon runs.
    async fn approaching(first_after: Option<&str>) -> Self {
        let scale = Scale::new();
        let members = scale.members + scale.others;
        let simulator = Simulator::start(Options { members, ..Options::default() }).await.unwrap();
        for n in scale.members + 1..=members {
            simulator.world().set_status(&format!("m{n}"), ORDINARY, "CONNECTED").unwrap();
        }
        let mut home = Home::new(&simulator);
        home.set("sweep.confirm_sweeps", 1)
            .set("storm.min_members", 25)
            .set("storm.fleet_share", 1)
            .set("storm.window", scale.window)
            .set("storm.drip_per_minute", i64::from(scale.drip_per_minute))
            .set("email.per_minute", 6_000)
            .set("gateway.max_in_flight", 64);
        if let Some(first_after) = first_after {
            home.set("notices.expired.first_after", first_after);
        }
        let all: Vec<String> = (1..=members).map(|n| format!("m{n}")).collect();
        home.enrol(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let started_at = Instant::now();
        let mut storm = Self {
            scale,
            simulator,
            home,
            daemon: None,
            log: String::new(),
            started_at,
            figures: Vec::new(),
        };
        storm.start().await;
        let expected = i64::from(members + storm.scale.others);
        storm.wait("the first sweep", async |storm| storm.count("connections").await == expected).await;
        storm.wait("its end", async |storm| storm.sweeps_have_ended().await).await;
        let daemon = storm.daemon.take().expect("it runs");
        storm.log += &daemon.running.stopped().await.well().stderr;
        storm.note("the first sweep");
        storm
    }

    async fn start(&mut self) {
        self.daemon = Some(self.home.daemon().await);
    }

    async fn kill_and_start(&mut self, moment: &str) {
        let ended = self.daemon.take().expect("it runs").running.kill();
        assert_eq!(ended.signal, Some(9));
        self.log += &ended.stderr;
        self.start().await;
        self.note(&format!("killed {moment}, and started again"));
    }

    async fn wait(&self, what: &str, done: impl AsyncFn(&Self) -> bool) {
        let since = Instant::now();
        while !done(self).await {
            assert!(
                since.elapsed() < self.scale.patience,
                "timed out waiting for {what}: {:#?}",
                self.figures
            );
            tokio::time::sleep(self.scale.pause).await;
        }
    }

    fn note(&mut self, what: &str) {
        self.figures.push(format!("{:>4.0?} {what}", self.started_at.elapsed()));
    }

    async fn count(&self, table: &str) -> i64 {
        self.home.database().await.count(table).await.unwrap()
    }

    async fn sweeps_have_ended(&self) -> bool {
        let ends = self.home.database().await.texts("sweeps", "finished_at").await.unwrap();
        ends.iter().all(|end| !end.is_empty())
    }

    async fn hold_states(&self) -> Vec<String> {
        self.home.database().await.texts("holds", "state").await.unwrap()
    }

    /// The open lapses, by source.
    async fn open(&self, source: &str) -> usize {
        let lapses = self.home.database().await.rows("lapses", ["connection_id", "state"]).await.unwrap();
        lapses.iter().filter(|[of, state]| of == source && state == "open").count()
    }

    fn polls(&self) -> u32 {
        self.simulator.world().request_count(Operation::GetMemberConnections)
    }

    fn set(&self, members: impl Iterator<Item = u32>, source: &str, status: &str) {
        members.for_each(|n| self.simulator.world().set_status(&format!("m{n}"), source, status).unwrap());
    }

    /// The emails by recipient, each with its Message-ID.
    fn emails(&self) -> BTreeMap<u32, Vec<String>> {
        let mut emails: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for mail in self.simulator.mailbox().mails() {
            let to = mail.to.concat();
            let number = to.trim_start_matches('m').trim_end_matches("@example.org").parse().unwrap();
            emails.entry(number).or_default().push(mail.header("Message-ID").unwrap());
        }
        emails
    }

    fn emailed(&self, is_epic: bool) -> u32 {
        self.emails().keys().filter(|n| (**n <= self.scale.members) == is_epic).count() as u32
    }

    /// The ordinary lapses, beside the storm.
    fn break_others(&self) {
        let first = self.scale.members + 1;
        self.set(first..first + self.scale.ordinary, ORDINARY, "EXPIRED");
    }

    /// From the hold to the last email.
    async fn pass(mut self) {
        self.wait("the hold", async |storm| !storm.hold_states().await.is_empty()).await;
        assert_eq!(self.emailed(true), 0, "before the hold");
        self.note("held");
        self.kill_and_start("during the hold").await;
        let (ordinary, lapsed) = (self.scale.ordinary, self.scale.members as usize);
        self.wait("all lapses", async |storm| storm.open("epic").await == lapsed).await;
        self.note("all have lapsed");
        let recovering = self.scale.members - self.scale.remaining();
        self.set(1..=recovering, "epic", "CONNECTED");
        self.wait("the other source's emails", async |storm| storm.emailed(false) == ordinary).await;
        assert_eq!(self.emailed(true), 0, "during the hold");
        self.note(&format!("{ordinary} emails about the other source"));
        let remaining = self.scale.remaining();
        self.wait("the recoveries", async |storm| storm.open("epic").await == remaining as usize).await;
        self.note(&format!("{recovering} have recovered"));
        let minutes = remaining.div_ceil(self.scale.drip_per_minute);
        self.wait("what a release would send", async |storm| {
            let holds = storm.home.json(&["hold", "list"]).await;
            assert_eq!((holds.len(), &holds[0]["source"]), (1, &"epic".into()), "{holds:?}");
            let effect = (&holds[0]["would_email"], &holds[0]["drip_minutes"]);
            effect == (&remaining.into(), &minutes.into()) || storm.emailed(true) > 0
        })
        .await;
        self.drip(remaining).await;
        self.verify(remaining).await;
    }

    async fn drip(&mut self, remaining: u32) {
        self.wait("the first email", async |storm| storm.emailed(true) > 0).await;
        let since = Instant::now();
        self.note("the storm is over");
        self.kill_and_start("while the rest goes out").await;
        self.wait("the other emails", async |storm| {
            let emailed = storm.emailed(true);
            // The first one arrived after its portion was queued.
            let portions = ((since.elapsed() + Duration::from_secs(10)).as_secs() / 60) as u32 + 1;
            assert!(
                emailed <= portions * storm.scale.drip_per_minute,
                "{emailed} after {:?}",
                since.elapsed()
            );
            emailed == remaining
        })
        .await;
        self.note(&format!("{remaining} emails about epic, in {:.0?}", since.elapsed()));
        self.wait("the end", async |storm| storm.hold_states().await == ["ended"]).await;
        let states =
            async |storm: &Self| storm.home.database().await.texts("notices", "state").await.unwrap();
        self.wait("all outcomes", async |storm| {
            states(storm).await.iter().all(|state| state == "sent" || state == "cancelled")
        })
        .await;
        let daemon = self.daemon.take().expect("it runs");
        self.log += &daemon.running.stopped().await.well().stderr;
    }

    /// Each member whose connection is still broken got one email, or the same one again when a kill hid the mail server's response.
    async fn verify(&self, remaining: u32) {
        assert_eq!(self.log.matches("event=\"storm_started\"").count(), 1, "one message");
        let emails = self.emails();
        let members = self.scale.members;
        let expected = (members - remaining + 1..=members).chain(members + 1..=members + self.scale.ordinary);
        assert!(emails.keys().copied().eq(expected), "{:?}", emails.keys());
        let mut rows = self.home.database().await;
        let interrupted = rows.texts("attempts", "outcome").await.unwrap();
        let interrupted = interrupted.iter().filter(|outcome| *outcome == "interrupted").count();
        let repeated: usize = emails.values().map(|ids| ids.len() - 1).sum();
        assert!(emails.values().all(|ids| ids.iter().all(|id| *id == ids[0])), "one notice each");
        assert!(repeated <= interrupted, "{repeated} repeated, {interrupted} interrupted");
        assert_eq!(rows.defects().await.unwrap(), [] as [&str; 0]);
        #[expect(clippy::print_stdout, reason = "figures")]
        {
            let all = self.simulator.mailbox().received();
            println!("{}\n{all} emails, {repeated} of them again", self.figures.join("\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_in_one_sweep_is_held_whole_though_the_daemon_is_killed() {
    let mut storm = Storm::approaching(None).await;
    let members = storm.scale.members;
    storm.set(1..=members, "epic", "EXPIRED");
    storm.break_others();
    let asked = storm.polls();
    storm.start().await;
    storm.wait("half a sweep", async |storm| storm.polls() > asked + members / 2).await;
    storm.kill_and_start("during the sweep").await;
    storm.pass().await;
}

/// Patience must outlast several sweeps, which takes long, so it is not part of the suite.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute: see the README"]
async fn a_storm_over_several_sweeps_is_held_whole_though_the_daemon_is_killed() {
    let mut storm = Storm::approaching(Some(Scale::new().first_after)).await;
    storm.start().await;
    let (members, mut next) = (storm.scale.members, 1);
    for (wave, eighths) in WAVES.into_iter().enumerate() {
        let last = if wave + 1 == WAVES.len() { members } else { next + members * eighths / 8 - 1 };
        storm.set(next..=last, "epic", "EXPIRED");
        let asked = storm.polls();
        if wave == 1 {
            storm.break_others();
            storm.wait("half a sweep", async |storm| storm.polls() > asked + members / 2).await;
            storm.kill_and_start("during the sweep").await;
        }
        storm.wait("the wave", async |storm| storm.open("epic").await == last as usize).await;
        storm.note(&format!("{last} have lapsed"));
        next = last + 1;
    }
    storm.pass().await;
}
