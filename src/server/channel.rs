//! What the configuration of the channels means for the components.

use crate::base::config::{Channel, Config, Email};
use crate::store::Store;

/// Records the events that the configuration names, and plans notices for its channel.
pub(crate) fn for_channel(store: &Store, config: &Config) -> Store {
    let is_webhook = config.notices.channel == Channel::Webhook;
    store.recording(config.recorded_events()).notifying_each_member(is_webhook)
}

/// Twice the sessions with the mail server, so that these need not wait for the gateway. With a low rate limit not more
/// than a minute's emails, so that none waits long after its second look.
pub(super) fn max_deliveries(email: &Email) -> usize {
    let ahead = match email.per_minute {
        0 => email.connections,
        rate => email.connections.min((rate as usize).saturating_sub(email.connections)),
    };
    email.connections + ahead
}
