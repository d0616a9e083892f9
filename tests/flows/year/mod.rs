//! Months and years of random events, beside a model that is written from the documentation and not from the code.
//!
//! A run follows from its seed. After each step, it compares what the daemon did with what the model permits and demands.
//! `RECONNECTD_YEAR_SEED` plays one seed. `RECONNECTD_YEARS` plays so many whole years of 300 members, from that seed on.

mod channel;
mod connection;
mod events;
mod holds;
mod imports;
mod links;
mod model;
mod observe;
mod operate;
mod outside;
mod policies;
mod progress;
mod reports;
mod run;
mod script;
mod shrink;
mod truth;
mod visits;

use channel::Channel;
use events::{Shape, Timed};
use futures_util::FutureExt;
use reconnectd::base::random;
use run::Run;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tracing::subscriber::NoSubscriber;

const MONTHS: Shape = Shape {
    members: 30,
    days: 84,
    sweep_hours: 42,
    tick_hours: 8,
    has_receiver: false,
    channel: Channel::Email,
};
const YEAR: Shape = Shape { members: 300, days: 359, sweep_hours: 36, tick_hours: 10, ..MONTHS };
/// The hours between two sweeps, and between two other steps, of one seed after another.
const PACES: [(i64, i64); 4] = [(66, 8), (60, 10), (68, 11), (54, 9)];
/// In the suite.
const SEEDS: u64 = 50;
/// The lines of a failing run that are printed.
const LINES: usize = 100;
/// Runs to find fewer events that fail.
const ATTEMPTS: usize = 40;

/// What became of a run.
struct Ended {
    /// What happened, line by line.
    journal: Vec<String>,
    failure: Option<String>,
}

/// Alone on its thread, so that everything happens in the same order each time.
fn play(seed: u64, shape: Shape, events: &[Timed]) -> Ended {
    let mut ended = Ended { journal: Vec::new(), failure: None };
    let played = catch_unwind(AssertUnwindSafe(|| {
        let _seeded = random::seeded(seed);
        // Nobody reads the log of months.
        let _unlogged = tracing::subscriber::set_default(NoSubscriber::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut run = Run::start(shape).await;
            let played = AssertUnwindSafe(run.play(events)).catch_unwind().await;
            ended.failure = played.unwrap_or_else(|panic| Err(message(&*panic))).err();
            ended.journal = std::mem::take(&mut run.journal);
            run.end();
        });
    }));
    if let Err(panic) = played {
        // The run's own failure came first.
        ended.failure.get_or_insert(message(&*panic));
    }
    ended
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

/// Plays the seeds on all cores, and shows how far it is. Panics with the first failure, in words.
#[expect(clippy::print_stdout, reason = "a long run takes hours")]
fn play_all(seeds: std::ops::Range<u64>, shape: Shape) {
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    let work = || {
        let mut failures = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return failures;
            }
            let shape = of_seed(seed, shape);
            let events = script::of_seed(seed, &shape);
            let ended = play(seed, shape, &events);
            let emails = ended.journal.iter().filter(|line| line.contains("  email ")).count();
            println!("seed {seed}: {} events, {emails} emails, {:?}", events.len(), ended.failure);
            if ended.failure.is_some() {
                failures.push((seed, ended));
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A run often waits for the thread of its database.
    let mut failures: Vec<(u64, Ended)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..2 * cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    failures.sort_by_key(|(seed, _)| *seed);
    let Some((seed, ended)) = failures.first() else { return };
    let seeds: Vec<_> = failures.iter().map(|(seed, _)| seed).collect();
    println!("failing seeds: {seeds:?}");
    panic!("{}", describe(*seed, of_seed(*seed, shape), ended));
}

/// The seeds differ in what else a run has.
fn of_seed(seed: u64, shape: Shape) -> Shape {
    let channel = if seed % 9 == 5 { Channel::Webhook } else { Channel::Email };
    let shape = Shape { has_receiver: seed % 3 == 2, channel, ..shape };
    if shape.members > MONTHS.members {
        return shape;
    }
    let (sweep_hours, tick_hours) = PACES[seed as usize / 2 % PACES.len()];
    Shape { sweep_hours, tick_hours, ..shape }
}

/// What a person needs to find the cause.
fn describe(seed: u64, shape: Shape, ended: &Ended) -> String {
    let fails = |events: &[Timed]| play(seed, shape, events).failure.is_some();
    let attempts = std::env::var("RECONNECTD_YEAR_ATTEMPTS").ok().and_then(|attempts| attempts.parse().ok());
    let fewer = shrink::shrink(&script::of_seed(seed, &shape), attempts.unwrap_or(ATTEMPTS), fails);
    let events: Vec<_> = fewer.iter().map(ToString::to_string).collect();
    let lines = number("RECONNECTD_YEAR_LINES").map_or(LINES, |lines| lines as usize);
    let last = ended.journal.len().saturating_sub(lines);
    let failure = ended.failure.as_deref().unwrap_or_default();
    let journal = ended.journal[last..].join("\n");
    let years = if shape.members == YEAR.members { " RECONNECTD_YEARS=1" } else { "" };
    let (shown, hidden) = (events.len().min(LINES), events.len().saturating_sub(LINES));
    format!(
        "RECONNECTD_YEAR_SEED={seed}{years} replays this.\n\nIts last lines:\n{journal}\n\n{failure}\n\n\
         It also fails with {} events, of which these are the last (and {hidden} earlier ones):\n{}",
        events.len(),
        events[events.len() - shown..].join("\n")
    )
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}

#[test]
fn whatever_happens_the_daemon_does_what_the_documentation_says() {
    let seed = number("RECONNECTD_YEAR_SEED");
    match (number("RECONNECTD_YEARS"), seed) {
        (Some(years), seed) => play_all(seed.unwrap_or(0)..seed.unwrap_or(0) + years, YEAR),
        (None, Some(seed)) => play_all(seed..seed + number("RECONNECTD_YEAR_SEEDS").unwrap_or(1), MONTHS),
        (None, None) => play_all(0..SEEDS, MONTHS),
    }
}

#[test]
fn a_seed_replays_exactly() {
    let shape = Shape { days: 28, ..MONTHS };
    let events = script::of_seed(1, &shape);
    let [first, again] = [(), ()].map(|()| play(1, shape, &events));
    assert_eq!(first.failure, None);
    assert!(first.journal.len() > 200 && first.journal == again.journal);
}
