//! A run: time passes, events happen, and the daemon works.

use super::connection::Time;
use super::events::{SOURCES, Shape, Timed, member_id};
use super::model::Model;
use super::policies::SETTINGS;
use super::reports::Reports;
use super::truth::Truth;
use crate::api_client::with_tokens;
use crate::harness::Harness;
use chrono::TimeDelta;
use reconnectd::domain::NoticeId;
use reconnectd::notify::deliver::Pipeline;
use reconnectd::store::{InstanceCommand, InstanceLock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// In seconds: twenty days.
const ACCESS_TOKEN_LIFETIME: u32 = 20 * 24 * 60 * 60;
/// At the end, nothing happens any more, and what is due has to be sent.
const CALM: TimeDelta = TimeDelta::days(7);

pub(crate) type Check = Result<(), String>;

pub(crate) struct Run {
    pub(super) h: Harness,
    pub(super) lock: Option<InstanceLock>,
    pub(super) shape: Shape,
    pub(super) start: Time,
    pub(super) model: Model,
    pub(super) truth: Truth,
    /// A backup, and what its database knows.
    pub(super) saved: Option<(PathBuf, Model)>,
    pub(super) backups: usize,
    /// How often the gateway was asked for each member's list.
    pub(super) asked: BTreeMap<String, u32>,
    /// The number of the last email that was looked at.
    pub(super) read_until: u64,
    /// The newest notice that was looked at.
    pub(super) last_notice: Option<NoticeId>,
    /// Each link that was ever emailed, also those that a restored database does not know.
    pub(super) urls: Vec<String>,
    /// The invitations that were queued: whom, and to what.
    pub(super) invited: BTreeMap<String, (String, String)>,
    /// What the audit must have of the event.
    pub(super) audit: Vec<&'static str>,
    pub(super) has_passed_twice: bool,
    /// In some of the runs, the operator has a receiver.
    pub(super) reports: Option<Reports>,
    /// What happened, line by line.
    pub(crate) journal: Vec<String>,
}

/// A moment of a run.
enum Moment<'a> {
    Event(&'a Timed),
    Sweep,
    Tick,
    Calm,
}

impl Run {
    pub(crate) async fn start(shape: Shape) -> Self {
        let setup = SETTINGS.iter().fold(with_tokens(), |setup, (key, value)| setup.set(key, value));
        let reports = if shape.has_receiver { Some(Reports::start().await) } else { None };
        let setup = reports.iter().fold(setup, |setup, reports| reports.set(setup));
        let h = shape.channel.set(setup).members(shape.members as u32).start().await;
        // So that a poll is one request, as in a fleet that is polled each quarter of an hour.
        h.sim.world().configure(|settings| settings.access_token_lifetime = ACCESS_TOKEN_LIFETIME);
        let mut run = Self {
            lock: None,
            shape,
            start: h.clock.now(),
            model: Model::new(shape.channel),
            truth: Truth::default(),
            saved: None,
            backups: 0,
            asked: BTreeMap::new(),
            read_until: 0,
            last_notice: None,
            urls: Vec::new(),
            invited: BTreeMap::new(),
            audit: Vec::new(),
            has_passed_twice: false,
            reports,
            journal: Vec::new(),
            h,
        };
        for id in (0..shape.members).map(member_id) {
            for source in SOURCES {
                run.set(&id, source, Some("CONNECTED"));
            }
            run.model.enroll(&id, &format!("{id}@example.org"), None);
        }
        let ids: Vec<String> = run.model.members.keys().cloned().collect();
        run.import(&ids, true).await;
        run.lock = Some(run.h.app.acquire_instance_lock(InstanceCommand::Run).await.expect("the lock"));
        run
    }

    pub(super) fn now(&self) -> Time {
        self.h.clock.now()
    }

    pub(super) fn members(&self) -> usize {
        self.shape.members
    }

    pub(super) fn note(&mut self, line: impl std::fmt::Display) {
        let at = self.now() - self.start;
        let (days, rest) = (at.num_days(), at - TimeDelta::days(at.num_days()));
        let line = format!("day {days:3} {:02}:{:02}  {line}", rest.num_hours(), rest.num_minutes() % 60);
        self.journal.push(line);
    }

    /// Plays everything, and compares after each step.
    pub(crate) async fn play(&mut self, events: &[Timed]) -> Check {
        self.tick(true).await;
        self.observe(true).await?;
        self.compare_audit().await?;
        for (at, moment) in moments(events, &self.shape) {
            self.advance_to(self.start + at);
            match moment {
                Moment::Event(timed) => {
                    self.note(format_args!("{:?}", timed.event));
                    self.apply(&timed.event).await?;
                    self.compare_audit().await?;
                    self.observe(false).await?;
                }
                Moment::Sweep => {
                    self.tick(true).await;
                    self.observe(true).await?;
                }
                Moment::Tick => {
                    self.tick(false).await;
                    self.observe(false).await?;
                }
                Moment::Calm => {
                    self.calm().await;
                    self.compare_audit().await?;
                }
            }
        }
        self.check_end().await
    }

    /// No fault is expected any more.
    pub(crate) fn end(self) {
        self.h.sim.world().clear_faults();
        self.h.sim.mailbox().clear_faults();
    }

    /// A person at a page takes a second or two, so a moment can have passed already.
    fn advance_to(&self, time: Time) {
        self.h.clock.advance((time - self.now()).max(TimeDelta::zero()));
    }

    /// What the loops of the daemon do.
    pub(super) async fn tick(&mut self, sweeps: bool) {
        let (app, stop) = (&self.h.app, CancellationToken::new());
        app.deliverer.rescue_abandoned().await.expect("the store answers");
        app.deliverer.rescue_expired_leases().await.expect("the store answers");
        if sweeps {
            app.run_once(&stop).await.expect("a pass");
            return;
        }
        while app.rechecker.recheck_one().await.expect("a recheck") {}
        while app.planner.plan_page().await.expect("a plan") {}
        Pipeline::new(&app.deliverer).deliver_all(&stop).await.expect("deliveries");
        self.deliver_events().await;
    }

    /// Ends everything that stands in the way of email.
    async fn calm(&mut self) {
        self.note("calm");
        self.truth.gateway.clear();
        self.truth.mail.clear();
        self.truth.losses_to_come = 0;
        self.script_gateway();
        self.script_mail();
        self.change_receiver(None);
        self.release_all().await;
        let ids: Vec<String> = self.model.enrolled().map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.pause(&id, false).await;
        }
    }
}

/// The events, and what the daemon does at regular times.
fn moments<'a>(events: &'a [Timed], shape: &Shape) -> Vec<(TimeDelta, Moment<'a>)> {
    let calm = TimeDelta::days(shape.days);
    let mut all: Vec<_> = events.iter().map(|timed| (timed.at, Moment::Event(timed))).collect();
    all.push((calm, Moment::Calm));
    let every = |every: TimeDelta, minutes: i32| {
        let count = (calm + CALM).num_seconds() / every.num_seconds();
        (1..count as i32).map(move |n| every * n + TimeDelta::minutes((n * minutes % 60).into()))
    };
    let sweep_every = TimeDelta::hours(shape.sweep_hours);
    all.extend(every(TimeDelta::hours(shape.tick_hours), 53).map(|at| (at, Moment::Tick)));
    all.extend(every(sweep_every, 37).map(|at| (at, Moment::Sweep)));
    // Stable: an event comes before a step of the same time.
    all.sort_by_key(|(at, _)| *at);
    all
}
