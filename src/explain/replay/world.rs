//! The members and their lapses at one time of the simulation.

use super::holds::Holds;
use super::lapse::SimulatedLapse;
use crate::domain::{
    AddressHash, LapseId, MemberId, NoticeKind, PastEmail, PastLapse, PastMember, PastSweep, PlanningInput,
    Recipient, SharedPast, Spread, Time,
};
use std::collections::{BTreeMap, VecDeque};

/// What changes.
enum Fact {
    Member(PastMember),
    Lapse(PastLapse),
    /// One that the policy does not decide about.
    Email(AddressHash, PastEmail),
}

impl Fact {
    fn at(&self) -> Time {
        match self {
            Self::Member(member) => member.at,
            Self::Lapse(lapse) => lapse.at,
            Self::Email(_, email) => email.sent_at,
        }
    }
}

pub(super) struct World<'a> {
    sweeps: &'a [PastSweep],
    /// Oldest first.
    coming: VecDeque<Fact>,
    members: BTreeMap<MemberId, PastMember>,
    pub(super) lapses: BTreeMap<LapseId, SimulatedLapse>,
    emails: BTreeMap<[u8; 32], Vec<PastEmail>>,
}

impl<'a> World<'a> {
    pub(super) fn new(past: &SharedPast, sweeps: &'a [PastSweep]) -> Self {
        let members = past.members.iter().cloned().map(Fact::Member);
        let lapses = past.lapses.iter().cloned().map(Fact::Lapse);
        let emails = past.emails.iter().map(|(address, email)| Fact::Email(*address, *email));
        let mut coming: Vec<_> = members.chain(lapses).chain(emails).collect();
        coming.sort_by_key(Fact::at);
        let (members, lapses, emails) = Default::default();
        Self { sweeps, coming: coming.into(), members, lapses, emails }
    }

    /// When facts change, and when sweeps end that found lapses.
    pub(super) fn times(&self) -> impl Iterator<Item = Time> {
        let visible = self.coming.iter().filter_map(|fact| match fact {
            Fact::Lapse(lapse) => Some(self.visible_from(lapse)),
            _ => None,
        });
        let known = self.lapses.values().map(|lapse| lapse.visible_from);
        self.coming.iter().map(Fact::at).chain(visible).chain(known)
    }

    /// Changes the facts. Returns the lapses that recover.
    pub(super) fn advance(&mut self, now: Time) -> Vec<LapseId> {
        let mut recovered = Vec::new();
        while let Some(fact) = self.coming.pop_front_if(|fact| fact.at() <= now) {
            match fact {
                Fact::Member(member) => self.change_member(member),
                Fact::Email(address, email) => self.emails.entry(address.0).or_default().push(email),
                Fact::Lapse(facts) => {
                    let (id, visible_from) = (facts.lapse_id.clone(), self.visible_from(&facts));
                    match self.lapses.get_mut(&id) {
                        Some(lapse) => {
                            recovered.retain(|other| *other != id);
                            if lapse.change(facts, visible_from) {
                                recovered.push(id);
                            }
                        }
                        None => {
                            self.lapses.insert(id, SimulatedLapse::new(facts, visible_from));
                        }
                    }
                }
            }
        }
        recovered
    }

    fn change_member(&mut self, member: PastMember) {
        let (id, address) = (member.member_id.clone(), member.address);
        let before = self.members.insert(id.clone(), member);
        if before.is_some_and(|before| before.address != address) {
            self.lapses.values_mut().filter(|lapse| *lapse.member() == id).for_each(SimulatedLapse::forgive);
        }
    }

    /// The planner sees a lapse when the sweep that found it has ended.
    fn visible_from(&self, lapse: &PastLapse) -> Time {
        let opened_at = lapse.last_opened_at;
        let begun = self.sweeps.partition_point(|sweep| sweep.started_at <= opened_at);
        let sweep = begun.checked_sub(1).and_then(|place| self.sweeps.get(place));
        sweep.map_or(opened_at, |sweep| sweep.finished_at.max(opened_at))
    }

    /// The members, by address. A member without one is alone.
    pub(super) fn groups(&self) -> Vec<(Option<AddressHash>, Vec<MemberId>)> {
        let mut groups: Vec<(Option<AddressHash>, Vec<MemberId>)> = Vec::new();
        for (id, member) in &self.members {
            let shares =
                |group: &&mut (Option<AddressHash>, _)| group.0.is_some() && group.0 == member.address;
            match groups.iter_mut().find(shares) {
                Some((_, members)) => members.push(id.clone()),
                None => groups.push((member.address, vec![id.clone()])),
            }
        }
        groups
    }

    /// What the planner reads.
    pub(super) fn input(&self, id: &MemberId, holds: &Holds, now: Time) -> Option<PlanningInput> {
        let member = self.members.get(id)?;
        let emails = member.address.and_then(|address| self.emails.get(&address.0));
        let visible = self.lapses.values().filter(|lapse| lapse.member() == id && lapse.is_visible(now));
        Some(PlanningInput {
            member_id: id.clone(),
            recipient: Recipient {
                is_paused: member.is_paused,
                is_suppressed: member.is_suppressed,
                time_zone: member.time_zone,
                spread: Spread::of(id),
                emails: emails.cloned().unwrap_or_default(),
                holds: holds.active(id, now),
            },
            open: visible.map(SimulatedLapse::input).collect(),
            recovered: Vec::new(),
        })
    }

    pub(super) fn record_email(&mut self, address: Option<AddressHash>, kind: NoticeKind, sent_at: Time) {
        if let Some(address) = address {
            let email = PastEmail { sent_at, counts_for_gap: kind != NoticeKind::Recovered };
            self.emails.entry(address.0).or_default().push(email);
        }
    }

    pub(super) fn address(&self, member: &MemberId) -> Option<AddressHash> {
        self.members.get(member)?.address
    }
}
