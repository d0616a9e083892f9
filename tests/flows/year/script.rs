//! What happens in a run: a list that follows from its seed alone.

use super::events::{Address, Choice, Event, GatewayTrouble, MailTrouble, Shape, Timed, ZONES};
use super::imports;
use super::policies::POLICIES;
use crate::dice::Dice;
use chrono::TimeDelta;

/// Everything that happens, in its order.
pub(crate) fn of_seed(seed: u64, shape: &Shape) -> Vec<Timed> {
    let is_crowded = seed.is_multiple_of(4);
    let mut script =
        Script { dice: Dice::new(seed), shape: *shape, is_crowded, events: Vec::new(), next_id: 0 };
    // As many for each member, whatever the number of members.
    let minutes = shape.days * 24 * 60;
    let count = (shape.days as usize * shape.members) / 12;
    for _ in 0..count {
        let at = TimeDelta::seconds(script.dice.below(minutes as usize * 60) as i64);
        script.add_one(at);
    }
    if seed % 3 == 1 {
        script.push(TimeDelta::zero(), Event::RotateTokens);
    }
    for _ in 0..shape.days / 45 {
        script.add_restore();
    }
    let Script { mut events, .. } = script;
    let end = TimeDelta::days(shape.days);
    events.retain(|timed| timed.at < end);
    // Stable: what was drawn first comes first.
    events.sort_by_key(|timed| timed.at);
    events
}

struct Script {
    dice: Dice,
    shape: Shape,
    /// Two processes pass at the same time now and then. What each of them does first is not determined.
    is_crowded: bool,
    events: Vec<Timed>,
    next_id: usize,
}

impl Script {
    fn push(&mut self, at: TimeDelta, event: Event) {
        self.events.push(Timed { at, event });
    }

    fn member(&mut self) -> usize {
        self.dice.below(self.shape.members)
    }

    /// Mostly one of those about which members get email.
    fn source(&mut self) -> usize {
        if self.dice.one_in(8) { 2 + self.dice.below(2) } else { self.dice.below(2) }
    }

    fn broken(&mut self) -> &'static str {
        self.dice.pick(&["EXPIRED", "EXPIRED", "EXPIRED", "DISCONNECTED"])
    }

    /// From minutes to weeks, short ones more often.
    fn while_(&mut self, most: TimeDelta) -> TimeDelta {
        let divisor = self.dice.pick(&[1, 2, 5, 20, 100]);
        let seconds = (most.num_seconds() / divisor).max(120);
        TimeDelta::seconds(60 + self.dice.below(seconds as usize) as i64)
    }

    fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    fn add_one(&mut self, at: TimeDelta) {
        let member = self.member();
        match self.dice.below(106) {
            0..24 => self.add_break(at, member),
            24..27 => self.add_flaps(at, member),
            27..30 => self.add_outage(at),
            30..33 => {
                let source = self.source();
                self.push(at, Event::Status { member, source, status: None });
                if self.dice.below(3) > 0 {
                    let status = Some(self.dice.pick(&["CONNECTED", "EXPIRED", "DISCONNECTED"]));
                    let later = at + self.while_(TimeDelta::days(20));
                    self.push(later, Event::Status { member, source, status });
                }
            }
            33..35 => {
                let source = self.source();
                self.push(at, Event::Status { member, source, status: Some("ERROR") });
                let status = Some(self.dice.pick(&["CONNECTED", "EXPIRED"]));
                let later = at + self.while_(TimeDelta::days(10));
                self.push(later, Event::Status { member, source, status });
            }
            35..57 => self.add_visit(at),
            57..60 => self.push(at, Event::Unsubscribe { member }),
            60..66 => self.add_trouble(at, member),
            66..68 => {
                let times = 1 + self.dice.below(3) as u32;
                self.push(at, Event::LoseResponses { times });
            }
            68..70 => {
                self.push(at, Event::Refuse { member });
                let later = at + self.while_(TimeDelta::days(20));
                self.push(later, Event::AcceptAll);
            }
            70..72 => {
                self.push(at, Event::CredentialLost { member });
                let later = at + self.while_(TimeDelta::days(10));
                self.push(later, Event::CredentialBack { member });
            }
            72..77 => {
                let number = self.dice.below(4);
                let is_capital = self.dice.one_in(2);
                let address = if self.dice.one_in(2) {
                    Address::Own { number }
                } else {
                    Address::Family { number: number % 3, is_capital }
                };
                self.push(at, Event::Move { member, address });
            }
            77..79 => {
                let zone = self.dice.below(ZONES.len());
                self.push(at, Event::Zone { member, zone });
            }
            79 => {
                let file = self.dice.pick(&imports::KINDS);
                self.push(at, Event::Import { file });
            }
            80..82 => {
                let is_erased = self.dice.one_in(2);
                self.push(at, Event::Remove { member, is_erased });
                let later = at + self.while_(TimeDelta::days(30));
                self.push(later, Event::Return { member });
            }
            82..84 => {
                if self.dice.one_in(2) {
                    // An email about a break becomes due meanwhile.
                    let (source, status) = (self.dice.below(2), Some("EXPIRED"));
                    self.push(at - TimeDelta::days(2), Event::Status { member, source, status });
                }
                self.push(at, Event::Pause { member });
                let later = at + self.while_(TimeDelta::days(15));
                self.push(later, Event::Resume { member });
            }
            84..88 => self.add_hold(at, member),
            88..90 => {
                self.push(at, Event::Suppress { member });
                let later = at + self.while_(TimeDelta::days(20));
                self.push(later, Event::Unsuppress { member });
            }
            90..92 => {
                let source = self.dice.below(2);
                self.push(at, Event::Invite { member, source });
            }
            92..94 => {
                let policy = self.dice.below(POLICIES.len());
                self.push(at, Event::Policy { policy });
            }
            94 => self.push(at, Event::Restart),
            95..97 => {
                let source = self.dice.below(2);
                self.push(at, Event::Disconnect { member, source });
                if self.dice.one_in(2) {
                    let later = at + self.while_(TimeDelta::days(20));
                    self.push(later, Event::Status { member, source, status: Some("CONNECTED") });
                }
            }
            97..99 => {
                self.push(at, Event::LoseRefresh { member });
                let later = at + TimeDelta::days(21) + self.while_(TimeDelta::days(10));
                self.push(later, Event::ImportToken { member });
            }
            // Shorter than the three days after which an event is given up.
            99..101 => {
                let status = self.dice.pick(&[500, 503, 410]);
                self.push(at, Event::ReceiverTrouble { status });
                let length = self.while_(TimeDelta::hours(60));
                self.push(at + length, Event::ReceiverWorks);
            }
            101..104 if self.is_crowded => self.push(at, Event::TwoPasses),
            _ => {
                let claimed = 1 + self.dice.below(3);
                self.push(at, Event::Crash { claimed });
            }
        }
    }

    fn add_break(&mut self, at: TimeDelta, member: usize) {
        let (source, status) = (self.source(), self.broken());
        self.push(at, Event::Status { member, source, status: Some(status) });
        if self.dice.one_in(2) {
            let later = at + self.while_(TimeDelta::days(25));
            self.push(later, Event::Status { member, source, status: Some("CONNECTED") });
        }
    }

    fn add_flaps(&mut self, at: TimeDelta, member: usize) {
        let (source, mut at) = (self.source(), at);
        for _ in 0..1 + self.dice.below(4) {
            let status = self.broken();
            self.push(at, Event::Status { member, source, status: Some(status) });
            at += self.while_(TimeDelta::days(4));
            self.push(at, Event::Status { member, source, status: Some("CONNECTED") });
            at += self.while_(TimeDelta::days(8));
        }
    }

    /// For an hour or for a month.
    fn add_outage(&mut self, at: TimeDelta) {
        let (source, status) = (self.dice.below(2), self.broken());
        let share = 3 + self.dice.below(8);
        self.push(at, Event::Outage { source, status, share });
        let length = self.while_(TimeDelta::days(30));
        self.push(at + length, Event::OutageOver { source, share });
    }

    fn add_trouble(&mut self, at: TimeDelta, member: usize) {
        let id = self.id();
        if self.dice.one_in(2) {
            use GatewayTrouble as T;
            let trouble = self.dice.pick(&[T::Unavailable, T::NullData, T::CutBody, T::NotJson, T::NoSignIn]);
            let of_all = self.dice.one_in(4);
            let length = self.while_(TimeDelta::days(if of_all { 2 } else { 6 }));
            let member = (!of_all).then_some(member);
            self.push(at, Event::GatewayTrouble { id, member, trouble });
            self.push(at + length, Event::GatewayTroubleOver { id });
        } else {
            use MailTrouble as T;
            let trouble =
                self.dice.pick(&[T::Greylisting, T::DropsConnections, T::DropsAtData, T::RefusesService]);
            let length = self.while_(TimeDelta::days(3));
            self.push(at, Event::MailTrouble { id, trouble });
            self.push(at + length, Event::MailTroubleOver { id });
        }
    }

    fn add_visit(&mut self, at: TimeDelta) {
        use Choice as C;
        let choice = self.dice.pick(&[
            C::Look,
            C::Reconnect,
            C::Reconnect,
            C::Reconnect,
            C::ReconnectTwice,
            C::GiveUp,
            C::Snooze,
            C::Snooze,
            C::Dismiss,
            C::Dismiss,
            C::Undo,
            C::Resend,
            C::Resubscribe,
        ]);
        let link = self.dice.below(16);
        self.push(at, Event::Visit { link, choice });
    }

    fn add_hold(&mut self, at: TimeDelta, member: usize) {
        let (of_member, source) = (self.dice.one_in(2), self.dice.below(2));
        let status = self.dice.one_in(4).then_some("EXPIRED");
        let member = of_member.then_some(member);
        let source = self.dice.one_in(2).then_some(source);
        let hours = self.dice.one_in(2).then(|| 1 + self.dice.below(100) as i64);
        self.push(at, Event::Hold { member, source, status, hours });
        let later = at + self.while_(TimeDelta::days(8));
        self.push(later, Event::ReleaseAll);
    }

    fn add_restore(&mut self) {
        let day = self.dice.below((self.shape.days as usize).saturating_sub(10).max(1)) as i64;
        let backup = TimeDelta::days(day) + self.while_(TimeDelta::days(1));
        let restore = backup + self.while_(TimeDelta::days(8));
        let release = restore + self.while_(TimeDelta::days(2));
        self.push(backup, Event::Backup);
        self.push(restore, Event::Restore);
        self.push(release, Event::ReleaseAll);
        // The gateway may have rotated the tokens since the backup.
        let file = self.dice.pick(&imports::KINDS);
        let later = restore + self.while_(TimeDelta::days(3));
        self.push(later, Event::Import { file });
    }
}
