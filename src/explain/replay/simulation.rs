//! Simulates a policy on the past of members who shared addresses. Pure.

use super::email::ReplayedEmail;
use super::handovers::{Handover, Handovers, ItemFate};
use super::holds::Holds;
use super::world::World;
use crate::domain::{
    AddressHash, LapseId, MemberId, NoticeItem, NoticeKind, NoticeReason, PastHeld, PastHold, PastNotice,
    PastSweep, PlanningInput, SharedPast, Status, Time,
};
use crate::notify::plan::{Action, EmailState, Plan, Policy, after_quiet_hours, plan, plan_recovered};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};

/// More than the emails that can go to an address at one time.
const MAX_ROUNDS: usize = 1_000;

pub(super) struct Conditions<'a> {
    pub(super) policy: &'a Policy,
    pub(super) holds: &'a Holds,
    /// Oldest first.
    pub(super) sweeps: &'a [PastSweep],
    /// When nothing was planned, oldest first.
    pub(super) pauses: &'a [(Time, Time)],
    pub(super) from: Time,
    pub(super) until: Time,
}

#[derive(Debug, Default)]
pub(super) struct Simulated {
    /// Oldest first.
    pub(super) emails: Vec<ReplayedEmail>,
    reasons: BTreeMap<(NoticeKind, LapseId), Vec<(Time, NoticeReason)>>,
}

impl Simulated {
    /// What the policy decided then about such an email.
    pub(super) fn reason(&self, kind: NoticeKind, lapse: &LapseId, at: Time) -> Option<NoticeReason> {
        let reasons = self.reasons.get(&(kind, lapse.clone()))?;
        let place = reasons.partition_point(|(since, _)| *since <= at);
        Some(reasons.get(place.checked_sub(1)?)?.1)
    }
}

/// A recovery to announce.
struct Announcement {
    /// When it may go out.
    due_at: Time,
    /// When it is handed over, or tried again.
    at: Time,
    zone: Option<Tz>,
    /// The one that happened was cancelled then.
    cancelled_at: Option<Time>,
    items: Vec<NoticeItem>,
}

struct Simulation<'a> {
    conditions: &'a Conditions<'a>,
    handovers: Handovers,
    /// When storms held emails.
    held: &'a [PastHeld],
    world: World<'a>,
    /// When the planner evaluates the facts.
    events: BTreeSet<Time>,
    /// When an email that was on its way arrived, or not.
    handover_ends: BTreeSet<Time>,
    announcements: Vec<Announcement>,
    simulated: Simulated,
}

pub(super) fn simulate(past: &SharedPast, conditions: &Conditions<'_>) -> Simulated {
    let mut simulation = Simulation {
        conditions,
        handovers: Handovers::new(&past.notices),
        held: &past.held,
        world: World::new(past, conditions.sweeps),
        events: BTreeSet::new(),
        handover_ends: BTreeSet::new(),
        announcements: Vec::new(),
        simulated: Simulated::default(),
    };
    simulation.start(past);
    while let Some(now) = simulation.next_time().filter(|now| *now <= conditions.until) {
        simulation.step(now);
    }
    simulation.simulated.emails.sort_by_key(|email| email.sent_at);
    simulation.simulated
}

impl Simulation<'_> {
    /// Takes over what had happened before the simulation begins.
    fn start(&mut self, past: &SharedPast) {
        let Conditions { from, holds, .. } = *self.conditions;
        self.world.advance(from);
        let mut notices: Vec<_> = past.notices.iter().collect();
        notices.sort_by_key(|notice| notice.ended_at);
        for lapse in self.world.lapses.values_mut() {
            notices.iter().for_each(|notice| lapse.take_over(notice, from));
            // What opened while a storm calmed down is planned as usual.
            lapse.is_held = lapse.is_open() && holds.held_at(lapse, &past.held, from);
        }
        self.take_over_announcements(&notices, from);
        let members: BTreeSet<_> = past.members.iter().map(|member| &member.member_id).collect();
        let of_others = |hold: &PastHold| {
            hold.hold.scope.member_id.as_ref().is_some_and(|member| !members.contains(member))
        };
        let holds = holds.holds.iter().filter(|hold| !of_others(hold)).flat_map(PastHold::times);
        self.events.extend(self.world.times().chain(holds).filter(|at| *at > from));
        self.events.insert(from);
    }

    /// Those that waited for the end of the quiet hours, or for the mail server.
    fn take_over_announcements(&mut self, notices: &[&PastNotice], from: Time) {
        let waits = |notice: &&&PastNotice| {
            let is_planned = notice.kind == NoticeKind::Recovered && notice.due_at < from;
            is_planned && notice.ended_at.is_none_or(|end| from <= end)
        };
        for notice in notices.iter().filter(waits) {
            let lapses: Vec<_> = notice.items.iter().map(|part| part.item.lapse_id.clone()).collect();
            self.plan_announcements(&lapses, notice.due_at);
        }
    }

    /// What happens during a pause of the planner is evaluated at its end.
    fn next_time(&mut self) -> Option<Time> {
        let end = self.handover_ends.first().copied();
        let event = self.events.first().map(|at| self.after_pause(*at));
        let now = end.into_iter().chain(event).min()?;
        self.handover_ends.remove(&now);
        if event == Some(now) {
            self.events.pop_first();
        }
        Some(now)
    }

    fn after_pause(&self, at: Time) -> Time {
        let pauses = self.conditions.pauses;
        let place = pauses.partition_point(|(_, until)| *until <= at);
        pauses.get(place).filter(|(since, _)| *since < at).map_or(at, |(_, until)| *until)
    }

    fn step(&mut self, now: Time) {
        let recovered = self.world.advance(now);
        self.plan_announcements(&recovered, now);
        // They are in the queue already.
        self.announce(now, |due_at| due_at < now);
        for (address, members) in self.world.groups() {
            self.plan_address(address, &members, now);
        }
        self.announce(now, |due_at| due_at <= now);
    }

    fn input(&self, member: &MemberId, now: Time) -> Option<PlanningInput> {
        self.world.input(member, self.conditions.holds, now)
    }

    fn plan_address(&mut self, address: Option<AddressHash>, members: &[MemberId], now: Time) {
        for _ in 0..MAX_ROUNDS {
            self.release_held(members, now);
            let inputs: Vec<_> = members.iter().filter_map(|member| self.input(member, now)).collect();
            if inputs.iter().all(|input| input.open.is_empty()) {
                return;
            }
            let plan = plan(&inputs, self.conditions.policy, now);
            self.record_decisions(&plan, now);
            if !self.send_next(&plan, address, now) {
                return;
            }
        }
    }

    /// Releases what a storm held that has calmed down, when its turn has come.
    fn release_held(&mut self, members: &[MemberId], now: Time) {
        for lapse in self.world.lapses.values_mut() {
            if !lapse.is_held || !members.contains(lapse.member()) {
                continue;
            }
            match self.conditions.holds.released_at(lapse, self.held, now) {
                Some(at) if at <= now => lapse.is_held = false,
                Some(at) => {
                    self.events.insert(at);
                }
                None => {}
            }
        }
    }

    fn record_decisions(&mut self, plan: &Plan, now: Time) {
        for decision in &plan.decisions {
            let Some(lapse) = self.world.lapses.get_mut(&decision.lapse_id) else { continue };
            lapse.is_held = matches!(decision.action, Action::Hold { .. });
            lapse.due_since = match decision.action {
                Action::Send { .. } => lapse.due_since.or(Some(now)),
                // It goes on its way when it may.
                _ => lapse.due_since.filter(|_| self.handovers.is_under_way(&decision.lapse_id, now)),
            };
            if let Some((id, reason)) = lapse.decide(decision.action.reason()) {
                self.simulated.reasons.entry((NoticeKind::Reconnect, id)).or_default().push((now, reason));
            }
            self.events.extend(decision.action.next_evaluation().filter(|at| *at > now));
        }
    }

    /// Whether an email to the address is on its way, so that another one waits for what becomes of it.
    fn is_on_its_way(&self, plan: &Plan, address: Option<AddressHash>, now: Time) -> bool {
        let is_to_address = |announcement: &&Announcement| {
            let first = announcement.items.first();
            first.is_some_and(|item| address.is_some() && self.world.address(&item.member_id) == address)
        };
        let announcements = self.announcements.iter().filter(is_to_address);
        let mut announcements =
            announcements.filter(|announcement| announcement.due_at <= now && now < announcement.at);
        let due = plan.emails.iter().filter(|email| email.state == EmailState::Due);
        let mut items = due.flat_map(|email| plan.items_of(email));
        let arrives_later = |item: NoticeItem| {
            let handover =
                self.handovers.of_step(&item, now).filter(|handover| handover.waits_until(now).is_some());
            handover.is_some_and(|handover| matches!(handover.fate, ItemFate::Sent(_)))
        };
        announcements.next().is_some() || items.any(arrives_later)
    }

    /// Sends the first email that can be handed over. Returns whether anything changed.
    fn send_next(&mut self, plan: &Plan, address: Option<AddressHash>, now: Time) -> bool {
        for email in plan.emails.iter().filter(|email| email.state == EmailState::Due) {
            let items = plan.items_of(email);
            let handovers: Vec<_> =
                items.iter().map(|item| self.handovers.of_step(item, now).cloned()).collect();
            let waits = handovers.iter().flatten().filter_map(|handover| handover.waits_until(now));
            let waits: Vec<_> = waits.collect();
            self.handover_ends.extend(&waits);
            let ended = |handover: &&Handover| handover.waits_until(now).is_none();
            let abandoned = items.iter().zip(&handovers).filter_map(|(item, handover)| {
                let fate = handover.as_ref().filter(ended)?.fate;
                matches!(fate, ItemFate::Abandoned { .. }).then_some((item, fate))
            });
            let abandoned: Vec<_> = abandoned.collect();
            if !abandoned.is_empty() {
                for (item, fate) in abandoned {
                    if let Some(lapse) = self.world.lapses.get_mut(&item.lapse_id) {
                        lapse.abandon(fate);
                    }
                }
                return true;
            }
            let due_since = |item: &NoticeItem| self.world.lapses.get(&item.lapse_id)?.due_since;
            let ready = items.iter().zip(&handovers).find_map(|(item, handover)| {
                let handover = handover.as_ref().filter(ended)?;
                let ItemFate::Sent(sent_at) = handover.fate else { return None };
                Some((handover.notice.clone(), sent_at, due_since(item)))
            });
            let (sent_at, included): (Time, Vec<NoticeItem>) = match ready {
                Some((notice, sent_at, since)) => {
                    let joins = |(item, handover): &(&NoticeItem, &Option<Handover>)| match handover {
                        Some(handover) => handover.notice == notice && ended(&handover),
                        None => due_since(item) <= since,
                    };
                    let included = items.iter().zip(&handovers).filter(joins);
                    (sent_at, included.map(|(item, _)| item.clone()).collect())
                }
                None if waits.is_empty() && !self.is_on_its_way(plan, address, now) => (now, items),
                None => continue,
            };
            let extra = plan.extra_of(email);
            for item in &included {
                if let Some(lapse) = self.world.lapses.get_mut(&item.lapse_id) {
                    let is_extra = extra.contains(&item.lapse_id);
                    lapse.record_email(NoticeKind::Reconnect, item.step, is_extra, sent_at);
                }
            }
            self.send(address, NoticeKind::Reconnect, email.reason, sent_at, included);
            return true;
        }
        false
    }

    fn send(
        &mut self,
        address: Option<AddressHash>,
        kind: NoticeKind,
        reason: NoticeReason,
        sent_at: Time,
        items: Vec<NoticeItem>,
    ) {
        self.world.record_email(address, kind, sent_at);
        if sent_at <= self.conditions.until {
            self.simulated.emails.push(ReplayedEmail { kind, sent_at, reason: Some(reason), items });
        }
    }

    fn plan_announcements(&mut self, recovered: &[LapseId], now: Time) {
        let mut by_member: BTreeMap<MemberId, Vec<_>> = BTreeMap::new();
        for lapse in recovered.iter().filter_map(|id| self.world.lapses.get(id)) {
            by_member.entry(lapse.member().clone()).or_default().push(lapse.recovered());
        }
        for (member, recovered) in by_member {
            let Some(input) = self.input(&member, now) else { continue };
            let input = PlanningInput { recovered, ..input };
            let policy = self.conditions.policy;
            let plan = plan_recovered(&input, policy, now);
            for decision in &plan.decisions {
                let key = (NoticeKind::Recovered, decision.lapse_id.clone());
                self.simulated.reasons.entry(key).or_default().push((now, decision.action.reason()));
            }
            let at = after_quiet_hours(&input.recipient, policy, now, now).max(self.conditions.from);
            for email in &plan.emails {
                self.events.insert(at);
                let items = plan.items_of(email);
                let handover = items.first().and_then(|item| self.handovers.of_recovery(&item.lapse_id, now));
                let cancelled_at = handover.and_then(Handover::left_out_at);
                let zone = input.recipient.time_zone;
                self.announcements.push(Announcement { due_at: at, at, zone, cancelled_at, items });
            }
        }
    }

    /// Where the member is now, it can be day.
    fn follow_zone(&mut self, announcement: &mut Announcement, now: Time) {
        let member = announcement.items.first().map(|item| item.member_id.clone());
        let Some(input) = member.and_then(|member| self.input(&member, now)) else { return };
        let zone = input.recipient.time_zone;
        if zone != announcement.zone && announcement.due_at > now {
            let at = after_quiet_hours(&input.recipient, self.conditions.policy, now, now);
            (announcement.zone, announcement.due_at, announcement.at) = (zone, at, at);
            self.events.insert(at);
        }
    }

    /// Sends the announcements whose time has come, if the connections still work.
    fn announce(&mut self, now: Time, is_due: impl Fn(Time) -> bool) {
        for mut announcement in std::mem::take(&mut self.announcements) {
            self.follow_zone(&mut announcement, now);
            if announcement.at > now || !is_due(announcement.due_at) {
                self.announcements.push(announcement);
                continue;
            }
            let works = |item: &NoticeItem| {
                let lapse = self.world.lapses.get(&item.lapse_id);
                lapse.is_some_and(|lapse| !lapse.is_open() && lapse.status() == Some(&Status::Connected))
            };
            announcement.items.retain(works);
            let Some(first) = announcement.items.first() else { continue };
            let member = first.member_id.clone();
            let Some(input) = self.input(&member, now) else { continue };
            if input.recipient.is_paused || input.recipient.is_suppressed {
                continue;
            }
            let handover = self.handovers.of_recovery(&first.lapse_id, now);
            // The second look found that it no longer worked, or its member was paused.
            if announcement.cancelled_at.is_some_and(|at| at <= now) {
                continue;
            }
            if let Some(at) = handover.and_then(|handover| handover.waits_until(now)) {
                self.handover_ends.insert(at);
                self.announcements.push(Announcement { at, ..announcement });
                continue;
            }
            let sent_at = match handover.map(|handover| handover.fate) {
                Some(ItemFate::Sent(sent_at)) => sent_at,
                Some(ItemFate::Abandoned { .. }) => continue,
                Some(ItemFate::LeftOut) | None => now,
            };
            for item in &announcement.items {
                if let Some(lapse) = self.world.lapses.get_mut(&item.lapse_id) {
                    lapse.record_email(NoticeKind::Recovered, item.step, false, sent_at);
                }
            }
            let address = self.world.address(&member);
            self.send(
                address,
                NoticeKind::Recovered,
                NoticeReason::RecoveryNotice,
                sent_at,
                announcement.items,
            );
        }
    }
}
