//! One daemon, in which a unit of work is disturbed at each of its steps, each time for another member.

use crate::api_client::with_tokens;
use crate::cut::{cut_after, cut_at, strike_after, strike_at};
use crate::harness::{Harness, link_in, on_postgres};
use crate::invariants::broken_invariants;
use crate::receiver::{Receiver, SECRET};
use chrono::TimeDelta;
use futures_util::future::try_join_all;
use reconnectd::{
    domain::Cause,
    notify::deliver::Delivered,
    sim::ReceivedEmail,
    store::{FailingWrite, testing::TestDatabase},
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::sleep};

/// What happens to a unit of work at its n-th step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// It is dropped when it waits for the n-th time.
    Cut,
    /// The n-th row that it writes cannot be written, nor any after it.
    Failure(FailingWrite),
    /// The server ends all connections when it waits for the n-th time.
    Lost,
    /// No statement can read or write the n-th table.
    Hidden,
}

/// Those of the engine of the suite. Some are only for a run of all steps.
pub(super) fn blows() -> Vec<Blow> {
    let mut blows =
        vec![Blow::Cut, Blow::Failure(FailingWrite::Statement), Blow::Failure(FailingWrite::Commit)];
    if all_steps() {
        blows.push(Blow::Hidden);
    }
    if all_steps() && on_postgres() {
        blows.push(Blow::Lost);
    }
    blows
}

/// Set for a run in which each step of the long units is disturbed, too.
const ALL_STEPS: &str = "RECONNECTD_TEST_ALL_STEPS";

fn all_steps() -> bool {
    std::env::var_os(ALL_STEPS).is_some()
}

/// Ends the connections of the stores, but not this test's own.
const END_CONNECTIONS: &str = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'reconnectd/%'";
/// What the receiver learns about each member. That nothing was heard from one for a day does not count.
const STORY: [&str; 4] = ["connection.lapsed", "notice.sent", "link.redeemed", "connection.recovered"];
/// A unit is disturbed this often at most. How often it waits depends on the load of the machine, too.
fn max_steps() -> usize {
    if all_steps() { 3_000 } else { 300 }
}

/// A unit has as many waits as it needs, which can differ a little: it is whole when it ended this often in a row.
const WHOLE: usize = 2;
/// A unit that works in tasks of its own, whose waits are not its own, is cut after this part of its usual time, after two
/// of them, and so on.
const PARTS: u32 = 16;
/// How long writes fail for a unit that tries again by itself.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) struct Stage {
    pub(super) h: Harness,
    pub(super) receiver: Receiver,
    blow: Blow,
    /// The connection that breaks.
    connection: &'static str,
    /// Of so many steps, one is disturbed.
    stride: usize,
    /// Of a unit that works in tasks of its own: how long a part of it takes.
    part: Cell<Option<Duration>>,
    database: Mutex<TestDatabase>,
    /// How many members took part.
    entered: Cell<u32>,
    /// What is disturbed now, for the report of a failed test.
    step: RefCell<String>,
}

impl Stage {
    /// A daemon that watches nobody yet. The gateway rotates refresh tokens, and a receiver gets all events.
    pub(super) async fn set(blow: Blow, connection: &'static str) -> Self {
        Self::set_with(blow, connection, &[]).await
    }

    pub(super) async fn set_with(blow: Blow, connection: &'static str, settings: &[(&str, &str)]) -> Self {
        let receiver = Receiver::start().await;
        let setup = with_tokens()
            .members(4 * max_steps() as u32)
            .set("WEBHOOK__URL", receiver.url())
            .set("WEBHOOK__SECRET", SECRET)
            .set("NOTICES__EXPIRED__REMINDERS", "")
            .set("LINKS__TTL", "60d")
            .set("LINKS__REQUESTS_PER_MINUTE", 0);
        let setup = settings.iter().fold(setup, |setup, (key, value)| setup.set(key, value));
        let h = setup.start().await;
        h.sim.world().configure(|settings| settings.rotate = true);
        let mut database = h.rows().await;
        if matches!(blow, Blow::Failure(_)) {
            database.watch_writes().await.expect("triggers");
        }
        let (entered, step) = (Cell::new(0), RefCell::default());
        Self {
            h,
            receiver,
            blow,
            connection,
            stride: 1,
            part: Cell::new(None),
            database: Mutex::new(database),
            entered,
            step,
        }
    }

    /// For a long unit: disturbs one of so many steps, unless [`ALL_STEPS`] is set.
    pub(super) fn at_each(mut self, stride: usize) -> Self {
        self.stride = if all_steps() { 1 } else { stride };
        self
    }

    /// Disturbs a unit at its first step, at its second one, and so on, until it ends by itself. Each time, the invariants
    /// hold, and then `again` brings the same work to its end.
    pub(super) async fn at_every_step<S>(
        &self,
        prepare: impl AsyncFn(&str) -> S,
        unit: impl AsyncFn(&str, &S) -> anyhow::Result<()>,
        again: impl AsyncFn(&str, &S),
    ) {
        let mut whole = 0;
        let (mut n, mut last) = match self.blow {
            Blow::Cut | Blow::Lost => (1, max_steps() * self.stride),
            // What a unit writes is known when it was not disturbed.
            Blow::Failure(_) => (usize::MAX, usize::MAX),
            Blow::Hidden => (1, self.database.lock().await.tables().await.expect("the tables").len()),
        };
        while whole < WHOLE && n <= last || n == usize::MAX {
            let member = self.enter();
            *self.step.borrow_mut() = format!("{:?} at step {n} of {member}'s unit", self.blow);
            let state = prepare(&member).await;
            match self.blow {
                Blow::Cut => match self.cut(n, unit(&member, &state)).await {
                    None => whole = 0,
                    Some(ended) => {
                        ended.expect("a unit that is not cut off ends well");
                        whole += 1;
                    }
                },
                Blow::Failure(what) => {
                    let (ended, written) = self.while_writes_fail(what, n, unit(&member, &state)).await;
                    if n == usize::MAX {
                        ended.expect("a unit that is not disturbed ends well");
                        (n, last) = (0, written);
                    }
                }
                // It may have tried again, or not.
                Blow::Lost => match self.lose(n, unit(&member, &state)).await {
                    (_, true) => whole = 0,
                    (ended, false) => {
                        ended.expect("a unit that is not disturbed ends well");
                        whole += 1;
                    }
                },
                Blow::Hidden => self.hide(n - 1, unit(&member, &state)).await,
            }
            self.verify().await;
            again(&member, &state).await;
            self.verify().await;
            n += if n == 0 { 1 } else { self.stride };
        }
        assert!(n > 2, "the unit has no steps");
        assert!(n <= max_steps() * self.stride, "the unit does not end");
    }

    /// For a unit that works in tasks of its own. Measures how long it takes.
    pub(super) async fn time(&self, unit: impl Future<Output = ()>) {
        let started = Instant::now();
        unit.await;
        self.part.set(Some(started.elapsed() / PARTS));
    }

    async fn cut<T>(&self, n: usize, unit: impl Future<Output = T>) -> Option<T> {
        match self.part.get() {
            Some(part) => cut_after(part * n as u32, unit).await,
            None => cut_at(n, unit).await,
        }
    }

    async fn lose<T>(&self, n: usize, unit: impl Future<Output = T>) -> (T, bool) {
        let lose = async {
            self.database.lock().await.run(END_CONNECTIONS).await.expect("a superuser");
        };
        match self.part.get() {
            Some(part) => strike_after(part * n as u32, unit, lose).await,
            None => strike_at(n, unit, lose).await,
        }
    }

    /// Whether a unit ends well depends on the table.
    async fn hide<T>(&self, table: usize, unit: impl Future<Output = anyhow::Result<T>>) {
        let mut database = self.database.lock().await;
        let table = database.tables().await.expect("the tables").swap_remove(table);
        let rename = |from: &str, to: &str| {
            let keep_references = if on_postgres() { "" } else { "PRAGMA legacy_alter_table = ON; " };
            format!("{keep_references}ALTER TABLE {from} RENAME TO {to}")
        };
        let hidden = format!("_{table}");
        database.run(&rename(&table, &hidden)).await.expect("a hidden table");
        let mut unit = pin!(unit);
        // What may not be given up is tried until the database works again.
        let ended = tokio::select! { ended = &mut unit => Some(ended), () = sleep(PATIENCE) => None };
        database.run(&rename(&hidden, &table)).await.expect("the table");
        if ended.is_none() {
            drop(unit.await);
        }
    }

    /// The next member.
    pub(super) fn enter(&self) -> String {
        self.entered.set(self.entered.get() + 1);
        format!("m{}", self.entered.get())
    }

    /// Those who took part.
    pub(super) fn members(&self) -> Vec<String> {
        (1..=self.entered.get()).map(|n| format!("m{n}")).collect()
    }

    /// Also returns how many rows were written while the failures lasted.
    async fn while_writes_fail(
        &self,
        what: FailingWrite,
        from: usize,
        unit: impl Future<Output = anyhow::Result<()>>,
    ) -> (anyhow::Result<()>, usize) {
        let mut unit = pin!(unit);
        let from = from.min(i32::MAX as usize);
        let mut database = self.database.lock().await;
        database.fail_writes(what, from).await.expect("failures");
        let ended = tokio::select! {
            ended = &mut unit => Some(ended),
            // What may not be given up is tried until the database works again.
            () = sleep(PATIENCE), if from < i32::MAX as usize => None,
        };
        let end = async { database.end_failing_writes().await.expect("the end of the failures") };
        match ended {
            Some(ended) => (ended, end.await),
            // It may be in a transaction, for whose end the other one waits.
            None => tokio::join!(unit, end),
        }
    }

    /// Nothing is half done, and the connections to the database are free.
    async fn verify(&self) {
        try_join_all((0..8).map(|_| self.h.app.store.holds())).await.expect("the connections answer");
        let mut database = self.database.lock().await;
        database.settle().await.expect("no transaction stays open");
        let broken = broken_invariants(&mut database).await;
        assert!(broken.is_empty(), "{broken:#?}");
    }

    /// Enrols a member, whose connections are known to be CONNECTED.
    pub(super) async fn watch(&self, member: &str) {
        self.h.set(member, self.connection, "CONNECTED");
        self.h.enrol(&[member]).await;
        self.poll(member).await;
    }

    /// Lets a connection of the member expire; the access token has expired, too.
    pub(super) async fn let_expire(&self, member: &str) {
        self.h.set(member, self.connection, "EXPIRED");
        self.h.clock.advance(TimeDelta::hours(2));
    }

    pub(super) async fn poll(&self, member: &str) {
        self.h.app.poller.poll(&member.into(), Cause::Sweep).await.expect("a response");
    }

    pub(super) async fn plan(&self) {
        while self.h.app.planner.plan_page().await.expect("a plan") {}
    }

    pub(super) async fn deliver(&self) {
        let deliverer = &self.h.app.deliverer;
        while deliverer.deliver_one().await.expect("a delivery") != Delivered::Nothing {}
    }

    /// Also queues the email about it.
    pub(super) async fn queue(&self, member: &str) {
        self.watch(member).await;
        self.let_expire(member).await;
        self.poll(member).await;
        self.plan().await;
    }

    /// Also sends the email. Returns its link.
    pub(super) async fn email(&self, member: &str) -> String {
        self.queue(member).await;
        self.deliver().await;
        self.link(member)
    }

    /// Leases have expired, and what waits for a later attempt is due.
    pub(super) async fn let_leases_expire(&self) {
        self.h.clock.advance(TimeDelta::minutes(61));
        self.h.app.deliverer.rescue_expired_leases().await.expect("a rescue");
    }

    /// The emails to a member, without the copies of a Message-ID.
    pub(super) fn emails(&self, member: &str) -> Vec<Arc<ReceivedEmail>> {
        let mut known = BTreeSet::new();
        let mut emails = self.copies(member);
        emails.retain(|mail| known.insert(mail.header("Message-ID")));
        emails
    }

    /// The emails to a member.
    pub(super) fn copies(&self, member: &str) -> Vec<Arc<ReceivedEmail>> {
        let address = format!("{member}@example.org");
        self.h.mails().into_iter().filter(|mail| mail.to == [address.as_str()]).collect()
    }

    /// The link in the newest email to a member.
    pub(super) fn link(&self, member: &str) -> String {
        link_in(self.copies(member).last().expect("an email"))
    }

    /// Each member gets the email once, its link works, they recover, and the receiver learns everything in order.
    pub(super) async fn end(self) {
        "the end".clone_into(&mut self.step.borrow_mut());
        self.let_leases_expire().await;
        assert!(self.h.pass().await.complete(), "all credentials work");
        let members = self.members();
        for member in &members {
            assert_eq!(self.emails(member).len(), 1, "{member}");
            self.h.reconnect(&self.link(member)).await;
        }
        self.verify_recoveries(&members).await;
    }

    /// Those who have pressed their button recover.
    pub(super) async fn verify_recoveries(&self, members: &[String]) {
        self.h.pass_after(TimeDelta::hours(1)).await;
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for post in self.receiver.confirmed() {
            if known.insert(post.id.clone()) {
                told.entry(post.member().expect("a member")).or_default().push(post.event_type());
            }
        }
        for member in members {
            let recovered = format!("{} closed recovered", self.connection);
            assert_eq!(self.h.lapse_states(member).await, [recovered], "{member}");
            let path = self.h.path(member, self.connection).await;
            assert_eq!(path, ["CONNECTED", "EXPIRED", "CONNECTED"], "{member}");
            assert_eq!(self.h.credential(member).await, "ok", "{member}");
            let mut types = told.remove(member).unwrap_or_default();
            types.retain(|kind| STORY.contains(&kind.as_str()));
            // With another email, there are two of some.
            let mut known = BTreeSet::new();
            types.retain(|kind| known.insert(kind.clone()));
            assert_eq!(types, STORY, "{member}");
        }
        self.verify().await;
        let defects = self.database.lock().await.defects().await.expect("a check");
        assert!(defects.is_empty(), "{defects:?}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(clippy::print_stdout, reason = "says what was disturbed")]
            {
                println!("{}", self.step.borrow());
            }
        }
    }
}
