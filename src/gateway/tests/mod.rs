//! The gateway against a scripted server.

mod calls;
mod log;
mod responses;
mod stub;
mod throttling;
mod tokens;
mod transport;

use super::{Gateway, GatewayError, Verdict, retry::Retries};
use crate::base::instances::Instances;
use crate::{
    base::clock::{Clock, ManualClock},
    base::config::{Config, DEFAULTS},
    domain::AccessToken,
};
use std::{error::Error, time::Duration};
use stub::StubServer;

/// Sent with each request, and to be found in no error.
const TOKEN: &str = "at-alice";
const CLIENT_KEY: &str = "key-of-the-app";

/// A verdict without a wish for patience.
const RETRY: Verdict = Verdict::Retry { after: None };

fn settings(url: &str) -> crate::base::config::Gateway {
    let mut settings = toml::from_str::<Config>(DEFAULTS).unwrap().gateway;
    settings.url = url.parse().unwrap();
    settings.client_key = CLIENT_KEY.into();
    settings
}

fn clock() -> Clock {
    Clock::Manual(ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap()))
}

fn gateway_with(settings: &crate::base::config::Gateway) -> Gateway {
    gateway_at(settings, clock())
}

fn gateway_at(settings: &crate::base::config::Gateway, clock: Clock) -> Gateway {
    let retries = Retries {
        first_pause: Duration::from_millis(1),
        max_retries: 2,
        max_retry_after: Duration::from_millis(1500),
    };
    Gateway::with_retries(settings, clock, &Instances::alone(), retries).unwrap()
}

fn gateway(stub: &StubServer) -> Gateway {
    gateway_with(&settings(&stub.url()))
}

fn token() -> AccessToken {
    AccessToken::new(TOKEN)
}

/// Everything an error could show, its causes included.
fn shown(error: &GatewayError) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        shown += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    shown
}
