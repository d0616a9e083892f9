//! Which members have to be simulated together, because they shared an address at some time.

use crate::domain::{AddressHash, MemberId, PastMember, SharedPast};
use std::collections::{BTreeMap, HashMap};

/// Divides the past by members who shared addresses, in the order of their first members.
pub(super) fn divide(past: SharedPast) -> Vec<(MemberId, SharedPast)> {
    let first_of = first_members(&past.members);
    let mut parts: BTreeMap<MemberId, SharedPast> = BTreeMap::new();
    let first = |member: &MemberId| first_of.get(member).unwrap_or(member).clone();
    let mut at: HashMap<AddressHash, MemberId> = HashMap::new();
    for member in past.members {
        let first = first(&member.member_id);
        if let Some(address) = member.address {
            at.insert(address, first.clone());
        }
        parts.entry(first).or_default().members.push(member);
    }
    for lapse in past.lapses {
        parts.entry(first(&lapse.member_id)).or_default().lapses.push(lapse);
    }
    for notice in past.notices {
        // One from before a move can be about members who no longer share anything, and is then part of both.
        let mut firsts: Vec<_> = notice.items.iter().map(|part| first(&part.item.member_id)).collect();
        firsts.dedup();
        for first in firsts {
            parts.entry(first).or_default().notices.push(notice.clone());
        }
    }
    let of_lapses: HashMap<_, _> = parts
        .iter()
        .flat_map(|(first, past)| past.lapses.iter().map(|lapse| (lapse.lapse_id.clone(), first.clone())))
        .collect();
    for held in past.held {
        if let Some(past) = of_lapses.get(&held.lapse_id).and_then(|first| parts.get_mut(first)) {
            past.held.push(held);
        }
    }
    for (address, email) in past.emails {
        if let Some(first) = at.get(&address) {
            parts.entry(first.clone()).or_default().emails.push((address, email));
        }
    }
    parts.into_iter().collect()
}

/// For each member the first of those with whom it is connected by addresses.
fn first_members(members: &[PastMember]) -> HashMap<MemberId, MemberId> {
    let mut first: HashMap<MemberId, MemberId> =
        members.iter().map(|member| (member.member_id.clone(), member.member_id.clone())).collect();
    let mut at: HashMap<AddressHash, MemberId> = HashMap::new();
    for member in members {
        let Some(address) = member.address else { continue };
        let other = at.entry(address).or_insert_with(|| member.member_id.clone()).clone();
        let (one, other) = (root(&first, &member.member_id), root(&first, &other));
        first.insert(one.clone().max(other.clone()), one.min(other));
    }
    let ids: Vec<_> = first.keys().cloned().collect();
    ids.into_iter().map(|id| (id.clone(), root(&first, &id))).collect()
}

fn root(first: &HashMap<MemberId, MemberId>, member: &MemberId) -> MemberId {
    let mut at = member;
    while let Some(next) = first.get(at).filter(|next| *next != at) {
        at = next;
    }
    at.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    #[test]
    fn members_who_ever_shared_an_address_are_simulated_together() {
        let member = |id: &str, address: u8| PastMember {
            at: Time::UNIX_EPOCH,
            member_id: id.into(),
            address: Some(AddressHash([address; 32])),
            time_zone: None,
            is_paused: false,
            is_suppressed: false,
        };
        let members = vec![
            member("d", 1),
            member("c", 2),
            member("b", 3),
            member("a", 4),
            member("d", 2),
            member("a", 3),
        ];
        let parts = divide(SharedPast { members, ..SharedPast::default() });
        let ids =
            |past: &SharedPast| past.members.iter().map(|m| m.member_id.to_string()).collect::<Vec<_>>();
        let parts: Vec<_> = parts.iter().map(|(first, past)| (first.as_str(), ids(past))).collect();
        let strings = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(parts, [("a", strings(&["b", "a", "a"])), ("c", strings(&["d", "c", "d"]))]);
    }
}
