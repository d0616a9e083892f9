//! A model of how instances claim a notice and presume each other dead, checked for every order of their steps.
//!
//! It has one notice, three instances, and the server of the database. No step must ever be taken: an instance that takes none
//! for long was stopped, and one that takes none any more was killed. A heartbeat, or its answer, can be late or lost, and so
//! can the mail server's answer. One step remains a single one: the last question whether an instance may send, and the text of
//! the email. SMTP cannot take back what was sent.

use stateright::{Checker, HasDiscoveries, Model, Property, Representative};

const INSTANCES: usize = 3;

/// In ticks.
type Age = u8;

/// What the protocol relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// The handover is stored only for the attempt that holds the notice.
    HandoverNamesAttempt,
    /// An instance asks whether it is presumed dead just before it sends the text.
    AsksBeforeText,
    /// An instance presumes itself dead before the others do.
    PresumesItselfDeadFirst,
    /// An instance that joins again sends nothing that it claimed before.
    Term,
    /// A heartbeat tells whether the others had presumed the instance dead.
    HeartbeatTells,
    /// A late heartbeat ends the term, too: one in between may have arrived, and its answer was lost.
    LateHeartbeatEndsTerm,
}

#[derive(Clone, Copy, Debug)]
struct Protocol {
    /// `base::instances::PRESUMES_ITSELF_DEAD_AFTER`.
    presumes_itself_dead_after: Age,
    /// `base::instances::PRESUMED_DEAD_AFTER`.
    presumed_dead_after: Age,
    /// How often the notice is claimed at most.
    claims: u8,
    without: Option<Guard>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    notice: Notice,
    claims: u8,
    /// Nothing is known about an instance that delivers nothing.
    instances: [Option<Delivery>; INSTANCES],
    /// Emails that the mail server accepted, without those that nobody could record: the answer was lost, or the sender took
    /// no step until the others took over.
    accepted: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Notice {
    Queued,
    Sending,
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Delivery {
    step: Step,
    /// Whether the notice's row names this attempt.
    is_holder: bool,
    /// Whether the term of the claim has ended.
    is_over: bool,
    /// The age of the instance's row, by the last heartbeat that arrived; `None`: the others have deleted it.
    row: Option<Age>,
    /// Since the instance sent the last heartbeat that was answered.
    heartbeat: Age,
    under_way: Option<Heartbeat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Step {
    Claimed,
    /// Its links are stored, and the mail server is ready for the text.
    Prepared,
    Accepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Heartbeat {
    age: Age,
    /// Whether it was sent long after the last one that was answered.
    is_late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Tick,
    /// Any instance queues the notice again: its holder has no row, or the lease has expired.
    Rescue,
    /// Ages of the instance's row and of its last heartbeat.
    Claim(usize, Age, Age),
    Prepare(usize),
    TextIsAccepted(usize),
    /// The mail server refuses the email, or accepts it and its answer is lost.
    TextIsNotConfirmed(usize),
    Record(usize),
    SendHeartbeat(usize),
    HeartbeatIsAnswered(usize),
    HeartbeatArrivesWithoutAnswer(usize),
    /// Any instance deletes the row of this one.
    DeleteDead(usize),
}

impl State {
    fn delivery(&mut self, instance: usize) -> &mut Delivery {
        self.instances[instance].as_mut().expect("only an instance that delivers acts")
    }

    /// Ends the time of the holder.
    fn release(&mut self, notice: Notice) {
        self.notice = notice;
        self.instances.iter_mut().flatten().for_each(|delivery| delivery.is_holder = false);
    }

    /// Changes the notice if it is still the attempt's.
    fn end(&mut self, instance: usize, notice: Notice) {
        if self.delivery(instance).is_holder {
            self.release(notice);
        }
        self.instances[instance] = None;
    }
}

impl Protocol {
    fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// An instance does not send when its last heartbeat is so old.
    fn too_old(&self) -> Age {
        match self.has(Guard::PresumesItselfDeadFirst) {
            true => self.presumes_itself_dead_after,
            false => self.presumed_dead_after + 1,
        }
    }

    /// As `base::instances::Term::may_send`.
    fn may_send(&self, delivery: &Delivery) -> bool {
        delivery.heartbeat < self.too_old() && !(delivery.is_over && self.has(Guard::Term))
    }

    /// Whether a delivery can change nothing any more. The model forgets it.
    fn is_without_effect(&self, delivery: &Delivery) -> bool {
        let never_sends = match delivery.step {
            Step::Claimed => self.has(Guard::HandoverNamesAttempt),
            Step::Prepared => delivery.is_over && self.has(Guard::Term),
            Step::Accepted => true,
        };
        !delivery.is_holder && never_sends
    }

    /// What an instance that delivers can do.
    fn steps(&self, i: usize, delivery: &Delivery, acts: &mut Vec<Act>) {
        match delivery.step {
            Step::Claimed => acts.push(Act::Prepare(i)),
            Step::Prepared => {
                acts.push(Act::TextIsNotConfirmed(i));
                if self.may_send(delivery) || !self.has(Guard::AsksBeforeText) {
                    acts.push(Act::TextIsAccepted(i));
                }
            }
            Step::Accepted => acts.push(Act::Record(i)),
        }
        match delivery.under_way {
            None => acts.push(Act::SendHeartbeat(i)),
            Some(_) => acts.extend([Act::HeartbeatIsAnswered(i), Act::HeartbeatArrivesWithoutAnswer(i)]),
        }
        if delivery.row.is_some_and(|age| age >= self.presumed_dead_after) {
            acts.push(Act::DeleteDead(i));
        }
        // Before the handover is stored, the lease can expire. To store it extends the lease for longer than the rest takes.
        if delivery.is_holder && (delivery.row.is_none() || delivery.step == Step::Claimed) {
            acts.push(Act::Rescue);
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        vec![State { notice: Notice::Queued, claims: 0, instances: [None; INSTANCES], accepted: 0 }]
    }

    fn actions(&self, state: &State, acts: &mut Vec<Act>) {
        acts.push(Act::Tick);
        for (i, delivery) in state.instances.iter().enumerate() {
            match delivery {
                Some(delivery) => self.steps(i, delivery, acts),
                None if state.notice == Notice::Queued && state.claims < self.claims => {
                    // The heartbeat that was answered is not younger than one that arrived.
                    let ages = (0..self.too_old()).flat_map(|beat| (0..=beat).map(move |row| (row, beat)));
                    acts.extend(ages.map(|(row, heartbeat)| Act::Claim(i, row, heartbeat)));
                }
                None => {}
            }
        }
    }

    fn next_state(&self, state: &State, act: Act) -> Option<State> {
        let mut next = state.clone();
        match act {
            Act::Tick => {
                // Nothing depends on a greater age.
                let grow = |age: &mut Age| *age = (*age + 1).min(self.presumed_dead_after);
                for delivery in next.instances.iter_mut().flatten() {
                    delivery.row.iter_mut().for_each(grow);
                    delivery.under_way.iter_mut().for_each(|heartbeat| grow(&mut heartbeat.age));
                    grow(&mut delivery.heartbeat);
                }
            }
            Act::Rescue => {
                let mut deliveries = next.instances.iter().flatten();
                if deliveries.any(|delivery| delivery.is_holder && delivery.step == Step::Accepted) {
                    next.accepted -= 1;
                }
                next.release(Notice::Queued);
            }
            Act::Claim(i, row, heartbeat) => {
                (next.notice, next.claims) = (Notice::Sending, next.claims + 1);
                next.instances[i] = Some(Delivery {
                    step: Step::Claimed,
                    is_holder: true,
                    is_over: false,
                    row: Some(row),
                    heartbeat,
                    under_way: None,
                });
            }
            Act::Prepare(i) => next.delivery(i).step = Step::Prepared,
            Act::TextIsAccepted(i) => {
                next.delivery(i).step = Step::Accepted;
                next.accepted += 1;
            }
            Act::TextIsNotConfirmed(i) => next.end(i, Notice::Queued),
            Act::Record(i) => next.end(i, Notice::Sent),
            Act::SendHeartbeat(i) => {
                let delivery = next.delivery(i);
                let is_late = delivery.heartbeat >= self.presumes_itself_dead_after;
                delivery.under_way = Some(Heartbeat { age: 0, is_late });
            }
            Act::HeartbeatArrivesWithoutAnswer(i) => {
                let delivery = next.delivery(i);
                delivery.row = Some(delivery.under_way.take()?.age);
            }
            Act::HeartbeatIsAnswered(i) => {
                let delivery = next.delivery(i);
                let Heartbeat { age, is_late } = delivery.under_way.take()?;
                let was_presumed_dead = delivery.row.replace(age).is_none();
                delivery.heartbeat = age;
                delivery.is_over |= (was_presumed_dead && self.has(Guard::HeartbeatTells))
                    || (is_late && self.has(Guard::LateHeartbeatEndsTerm));
            }
            Act::DeleteDead(i) => next.delivery(i).row = None,
        }
        for instance in &mut next.instances {
            instance.take_if(|delivery| self.is_without_effect(delivery));
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, state: &State| state.accepted <= 1),
            Property::sometimes(LAST, |model: &Self, state: &State| {
                state.notice == Notice::Sent && state.claims == model.claims && state.accepted == 1
            }),
        ]
    }
}

const ONCE: &str = "only an email that nobody could record is repeated";
const LAST: &str = "the last attempt sends the email";

/// The instances are alike.
impl Representative for State {
    fn representative(&self) -> Self {
        let mut sorted = self.clone();
        sorted.instances.sort_unstable();
        sorted
    }
}

/// The names of the properties about which the model found something.
fn discoveries(protocol: Protocol) -> Vec<&'static str> {
    let checker = protocol.checker().symmetry().finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let mut found: Vec<_> = checker.discoveries().into_keys().collect();
    found.sort_unstable();
    found
}

/// A heartbeat that was sent in time can arrive after the others have deleted the row, as with 12 and 15 seconds.
const PROTOCOL: Protocol =
    Protocol { presumes_itself_dead_after: 3, presumed_dead_after: 4, claims: 3, without: None };

#[test]
fn whatever_the_order_only_an_email_that_nobody_could_record_is_repeated() {
    assert_eq!(discoveries(PROTOCOL), [LAST]);
}

#[test]
fn without_any_of_its_guards_the_protocol_repeats_an_email() {
    use Guard::*;
    for guard in [
        HandoverNamesAttempt,
        AsksBeforeText,
        PresumesItselfDeadFirst,
        Term,
        HeartbeatTells,
        LateHeartbeatEndsTerm,
    ] {
        let found = discoveries(Protocol { claims: 2, without: Some(guard), ..PROTOCOL });
        assert!(found.contains(&ONCE), "{guard:?}");
    }
}
