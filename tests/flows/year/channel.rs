//! How notices reach members: by email, or by the operator's own systems.

use super::connection::Time;
use super::links::Link;
use super::model::{Arrival, Model, key};
use super::run::{Check, Run};
use super::truth::Truth;
use crate::harness::Setup;
use crate::receiver::Posted;
use reconnectd::domain::{NoticeKind, NoticeState};
use reconnectd::sim::ReceivedEmail;
use reconnectd::store::ListedNotice;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Email,
    /// The operator's receiver tells the members.
    Webhook,
}

/// The links of a notice.
#[derive(Default)]
struct Links {
    /// Of each member, in the order of their ids.
    pages: Vec<String>,
    unsubscribe: Option<String>,
}

impl Channel {
    pub(super) fn set(self, setup: Setup) -> Setup {
        match self {
            Self::Email => setup,
            Self::Webhook => setup.set("NOTICES__CHANNEL", "webhook"),
        }
    }
}

impl Model {
    /// For whom the gap and the cap count: the address, or the member alone. They start again at a new address.
    pub(super) fn recipient(&self, id: &str, address: &str) -> String {
        match self.channel {
            Channel::Email => key(address),
            Channel::Webhook => format!("{id} at {}", key(address)),
        }
    }

    /// Whether what is sent now arrives.
    pub(super) fn can_arrive(&self, address: &str, truth: &Truth) -> bool {
        match self.channel {
            Channel::Email => truth.accepts_email(&key(address)),
            Channel::Webhook => !truth.is_receiver_down,
        }
    }
}

impl Run {
    pub(super) async fn read_emails(&mut self, now: Time) -> Check {
        let lost = self.take_losses();
        self.model.excused_copies += lost;
        let mut unconfirmed = 0;
        let mailbox = self.h.sim.mailbox().clone();
        while self.read_until < mailbox.received() {
            self.read_until += 1;
            let mail = mailbox.mail(self.read_until).expect("it is kept");
            let links = mail.links();
            let links = Links {
                pages: links.iter().filter(|link| link.contains("/r/")).cloned().collect(),
                unsubscribe: links.iter().find(|link| link.contains("/u/")).cloned(),
            };
            if links.unsubscribe.is_none() && !links.pages.is_empty() {
                return Err("an email without a way to unsubscribe".to_owned());
            }
            let is_confirmed = self.receive(&notice_of(&mail), &mail.to[0], links, now).await?;
            unconfirmed += usize::from(!is_confirmed);
        }
        if unconfirmed > lost {
            return Err(format!(
                "{unconfirmed} emails arrived that are not recorded as sent, {lost} responses were lost"
            ));
        }
        Ok(())
    }

    /// A notice that the operator's receiver confirmed.
    pub(super) async fn read_post(&mut self, posted: &Posted, now: Time) -> Check {
        let data = &posted.json()["data"];
        let member = data["member_id"].as_str().unwrap_or_default();
        let address = self.model.members.get(member).map(|member| member.address.clone());
        let url = data["url"].as_str().map(str::to_owned);
        let links = Links { pages: url.into_iter().collect(), unsubscribe: None };
        self.receive(&posted.id, &address.unwrap_or_default(), links, now).await?;
        Ok(())
    }

    /// Returns whether the daemon knows that it arrived.
    async fn receive(&mut self, id: &str, to: &str, links: Links, now: Time) -> Result<bool, String> {
        let listed = self.h.app.store.notices(None, Some(&id.into()), None, 1).await;
        let Some(notice) = listed.expect("the store answers").pop() else {
            return Err(format!("an email about {id}, which is no notice"));
        };
        let arrival = self.arrival(to, &notice, id);
        let described = describe(&arrival);
        self.note(format_args!("  email {described}"));
        let checked = self.model.arrive(&arrival, &self.truth, now);
        checked.map_err(|reason| format!("email {described}: {reason}"))?;
        self.learn_links(links, &arrival, now)?;
        Ok(arrival.is_confirmed)
    }

    fn arrival(&self, to: &str, listed: &ListedNotice, id: &str) -> Arrival {
        let notice = &listed.notice;
        let items = match self.invited.get(id) {
            Some((member, source)) => vec![(member.clone(), source.clone(), 0)],
            None => notice
                .items
                .iter()
                .map(|item| (item.member_id.to_string(), item.connection_id.to_string(), item.step))
                .collect(),
        };
        Arrival {
            notice: id.to_owned(),
            to: to.to_owned(),
            kind: notice.kind,
            items,
            is_confirmed: notice.state == NoticeState::Sent,
        }
    }

    /// Each member has a link, in the order of their ids.
    fn learn_links(&mut self, links: Links, arrival: &Arrival, now: Time) -> Check {
        if arrival.kind == NoticeKind::Recovered {
            return Ok(());
        }
        let mut sources: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (member, source, _) in &arrival.items {
            sources.entry(member).or_default().insert(source.clone());
        }
        if links.pages.len() != sources.len() {
            // The members who dropped out of an email are recorded with its result. Nobody visits these links.
            return if arrival.is_confirmed || links.pages.len() > sources.len() {
                Err(format!("{} links for {} members", links.pages.len(), sources.len()))
            } else {
                Ok(())
            };
        }
        for (url, (member, sources)) in links.pages.into_iter().zip(sources) {
            self.urls.push(url.clone());
            self.model.links.push(Link {
                url,
                unsubscribe: links.unsubscribe.clone(),
                member: member.to_owned(),
                address: key(&arrival.to),
                sent_at: now,
                sources,
                redeemed: BTreeMap::new(),
                invites: arrival.kind == NoticeKind::Invited,
            });
        }
        Ok(())
    }
}

/// From the Message-ID.
fn notice_of(mail: &ReceivedEmail) -> String {
    let id = mail.header("Message-ID").unwrap_or_default();
    id.trim_start_matches('<').split('@').next().unwrap_or_default().to_owned()
}

fn describe(arrival: &Arrival) -> String {
    let items: Vec<_> =
        arrival.items.iter().map(|(member, source, step)| format!("{member} {source} {step}")).collect();
    let lost = if arrival.is_confirmed { "" } else { ", response lost" };
    format!("to {}: {} {}{lost}", arrival.to, arrival.kind.as_str(), items.join(", "))
}
