//! The services of the hooks.

use crate::base::clock::Clock;
use crate::domain::TopicArn;
use crate::store::Store;
use crate::web::wrong_passwords::WrongPasswords;
use aws_lc_rs::{constant_time, digest};
use secrecy::{ExposeSecret, SecretString};
use std::ops::Deref;
use std::sync::Arc;

/// Cheap to clone: each request does it several times.
#[derive(Clone)]
pub(crate) struct HookState(Arc<Hooks>);

pub(crate) struct HookServices {
    /// Not empty.
    pub(crate) password: SecretString,
    /// Empty: any topic.
    pub(crate) ses_topics: Vec<TopicArn>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) wrong_passwords: Arc<WrongPasswords>,
    /// The operator's own proxies in front of the listener.
    pub(crate) trusted_proxies: usize,
}

pub(crate) struct Hooks {
    pub(super) services: HookServices,
    password_digest: digest::Digest,
}

impl HookState {
    pub(crate) fn new(services: HookServices) -> Self {
        let password_digest = sha256(services.password.expose_secret().as_bytes());
        Self(Arc::new(Hooks { services, password_digest }))
    }
}

impl Deref for HookState {
    type Target = Hooks;

    fn deref(&self) -> &Hooks {
        &self.0
    }
}

impl Hooks {
    /// In constant time: digests have the same length, whatever a client sends.
    pub(super) fn is_password(&self, password: &[u8]) -> bool {
        let given = sha256(password);
        constant_time::verify_slices_are_equal(given.as_ref(), self.password_digest.as_ref()).is_ok()
    }
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}
