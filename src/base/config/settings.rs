//! The configuration: one struct per section.

use super::{
    admin::Admin,
    bounces::Bounces,
    brand::{Brand, BrandSection},
    diagnostic::Findings,
    email::Email,
    gateway::Gateway,
    links::Links,
    notices::{Channel, Notices, Storm},
    retention::Retention,
    storage::{Database, Keys},
    sweep::Sweep,
    telemetry::Telemetry,
    webhook::Webhook,
};
use crate::domain::{EventType, EventTypes};
use serde::Deserialize;

/// No field has a default of its own: `config/reconnectd.toml` has every setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub(crate) database: Database,
    pub(crate) keys: Keys,
    pub(crate) gateway: Gateway,
    pub(crate) sweep: Sweep,
    pub notices: Notices,
    brand: BrandSection,
    pub(crate) storm: Storm,
    pub(crate) bounces: Bounces,
    pub(crate) webhook: Webhook,
    pub(crate) retention: Retention,
    pub email: Email,
    pub links: Links,
    pub(crate) admin: Admin,
    pub telemetry: Telemetry,
}

impl Config {
    /// The types of events to record. Under channel `webhook`, a notice itself is sent as an event.
    pub(crate) fn recorded_events(&self) -> EventTypes {
        let events = self.webhook.events();
        match self.notices.channel {
            Channel::Both => events,
            Channel::Email | Channel::Webhook => events.without(EventType::NoticeDue),
        }
    }

    /// The organization, as members know it.
    pub fn brand(&self) -> Brand {
        Brand::new(&self.brand, &self.email.from)
    }

    /// Checks the rules about more than one setting. Each value alone was checked when it was read.
    pub(super) fn validate(&self, findings: &mut Findings) {
        self.gateway.validate(findings);
        self.webhook.validate(findings);
        if self.notices.channel != Channel::Email {
            self.webhook.validate_as_channel(findings);
        }
        self.email.validate(findings);
        self.admin.validate(findings, &self.links);
        self.retention.validate(
            findings,
            &[
                ("sweep.flap_window", self.sweep.flap_window),
                ("notices.min_gap", self.notices.min_gap),
                ("links.ttl", self.links.ttl),
            ],
        );
        self.telemetry.validate(findings);
    }
}
