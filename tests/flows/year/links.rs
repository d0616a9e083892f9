//! What a link may do, and what its page may offer.

use super::connection::{State, Time};
use super::model::{Model, key};
use super::policies::LINK_TTL;
use super::truth::Truth;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// How long the browser that pressed a button can press it again.
const RESUME: TimeDelta = TimeDelta::minutes(10);

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) url: String,
    /// Emails have one.
    pub(crate) unsubscribe: Option<String>,
    pub(crate) member: String,
    /// Where it was emailed to.
    pub(crate) address: String,
    pub(crate) sent_at: Time,
    pub(crate) sources: BTreeSet<String>,
    /// The buttons that were used, and when.
    pub(crate) redeemed: BTreeMap<String, Time>,
    /// Whether it invites to connect a source, so there need be no lapse.
    pub(crate) invites: bool,
}

impl Model {
    pub(crate) fn link(&self, url: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.url == url)
    }

    pub(crate) fn link_mut(&mut self, url: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.url == url)
    }

    /// Whether the link belongs to an enrolled member with the address that it was sent to, and is not too old.
    fn works(&self, link: &Link, now: Time) -> bool {
        let is_theirs =
            |member: &super::model::Member| member.is_enrolled && key(&member.address) == link.address;
        self.members.get(&link.member).is_some_and(is_theirs) && now < link.sent_at + LINK_TTL
    }

    /// Whether a press may lead to the sign-in.
    pub(crate) fn may_redeem(&self, link: &Link, source: &str, now: Time) -> bool {
        let lapse =
            self.members.get(&link.member).and_then(|member| member.connections.get(source)?.lapse.as_ref());
        // A recovery ends a link.
        let needs_repair = lapse.is_some_and(|lapse| {
            (lapse.state == State::Open || lapse.is_dismissed()) && lapse.broken_since <= link.sent_at
        });
        self.works(link, now)
            && link.sources.contains(source)
            && !link.redeemed.contains_key(source)
            && (needs_repair || link.invites)
    }

    /// Whether a press must lead to the sign-in.
    pub(crate) fn must_redeem(&self, link: &Link, source: &str, truth: &Truth, now: Time) -> bool {
        let Some(member) = self.members.get(&link.member) else { return false };
        let lapse = member.connections.get(source).and_then(|connection| connection.open_lapse());
        self.may_redeem(link, source, now)
            && !link.invites
            && lapse.is_some()
            && truth.row(&link.member, source).is_some_and(super::connection::is_broken)
            && truth.has_sign_in(&link.member)
            && truth.is_clear(&link.member)
            && self.has_token(&link.member, truth)
            && member.is_in_sight
    }

    /// Whether a member may choose so on a page.
    fn may_choose(&self, member: &str, action: &str, source: &str, now: Time) -> bool {
        let connection = self.members.get(member).and_then(|member| member.connections.get(source));
        let Some(lapse) = connection.and_then(|connection| connection.lapse.as_ref()) else { return false };
        let status = connection.and_then(|connection| connection.known.as_deref()).unwrap_or_default();
        let is_open = lapse.state == State::Open;
        match action {
            "dismiss" => is_open && status == "DISCONNECTED",
            // A reminder is to come.
            "snooze" => is_open && !lapse.is_snoozed(now) && lapse.next(status, self.policy).is_some(),
            "undo" => (is_open && lapse.is_snoozed(now)) || (lapse.is_dismissed() && !lapse.is_parted),
            _ => false,
        }
    }

    /// The page of a link shows these forms, as `redeem epic`.
    pub(crate) fn check_page(&self, url: &str, forms: &[String], now: Time) -> Result<(), String> {
        let offers = forms.iter().filter_map(|form| form.split_once(' '));
        match self.link(url) {
            None if forms.is_empty() => Ok(()),
            None => Err(format!("a link that must reveal nothing offers {forms:?}")),
            Some(link) => {
                for (action, source) in offers {
                    let is_allowed = match action {
                        // It offers to continue, which only the browser can that pressed.
                        "redeem" => {
                            let used = link.redeemed.get(source);
                            used.is_some_and(|at| now - *at < RESUME) || self.may_redeem(link, source, now)
                        }
                        action => {
                            self.works(link, now)
                                && link.sources.contains(source)
                                && self.may_choose(&link.member, action, source, now)
                        }
                    };
                    if !is_allowed {
                        return Err(format!("its page offers {action} {source}: {link:?}"));
                    }
                }
                Ok(())
            }
        }
    }
}
