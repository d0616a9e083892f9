//! The mail server: how to reach it, and which of its addresses works.

use super::error::{Disposition, SendError, Stage};
use crate::base::config::Tls;
use lettre::transport::smtp::{authentication::Credentials, extension::ClientId};
use rustls::pki_types::ServerName;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::lookup_host,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the address that worked last is tried first.
const PREFERENCE: Duration = Duration::from_secs(10 * 60);

pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) name: ServerName<'static>,
    /// `None` when `tls` is `None`.
    pub(super) connector: Option<TlsConnector>,
    pub(super) credentials: Option<Credentials>,
    /// Empty: the machine's name or address.
    pub(super) helo_name: String,
    pub(super) preferred: Preferred,
}

/// The address that worked last.
#[derive(Default)]
pub(super) struct Preferred(Mutex<Option<(SocketAddr, Instant)>>);

impl Preferred {
    fn set(&self, address: SocketAddr, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((address, now));
    }

    /// Puts the preferred address first.
    fn sort(&self, addresses: &mut [SocketAddr], now: Instant) {
        let preferred = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((preferred, since)) = preferred
            && now.saturating_duration_since(since) < PREFERENCE
        {
            addresses.sort_by_key(|address| *address != preferred);
        }
    }
}

impl Server {
    /// The addresses of the host, in the order in which to try them.
    pub(super) async fn addresses(&self) -> Result<Vec<SocketAddr>, SendError> {
        let failed = |text: &str| SendError::new(Disposition::Retry, Stage::Connect, text);
        let found = timeout(RESOLVE_TIMEOUT, lookup_host((self.host.as_str(), self.port))).await;
        let found = found.map_err(|_| failed("the host's address was not found in time"))?;
        let mut addresses: Vec<SocketAddr> = found.map_err(|error| failed(&error.to_string()))?.collect();
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        self.sort(&mut addresses);
        Ok(addresses)
    }

    pub(super) fn sort(&self, addresses: &mut [SocketAddr]) {
        self.preferred.sort(addresses, Instant::now());
    }

    pub(super) fn prefer(&self, address: SocketAddr) {
        self.preferred.set(address, Instant::now());
    }

    /// Without a fully qualified name, RFC 5321, section 4.1.4, wants an address. Some servers reject a short name.
    pub(super) fn helo_name(&self, local: SocketAddr) -> ClientId {
        if !self.helo_name.is_empty() {
            return ClientId::Domain(self.helo_name.clone());
        }
        match (ClientId::default(), local.ip().to_canonical()) {
            (ClientId::Domain(name), _) if name.contains('.') => ClientId::Domain(name),
            (_, IpAddr::V4(address)) => ClientId::Ipv4(address),
            (_, IpAddr::V6(address)) => ClientId::Ipv6(address),
        }
    }

    /// Whether a session needs neither TLS nor a login, so that HELO is enough.
    pub(super) fn accepts_helo(&self) -> bool {
        self.tls == Tls::None && self.credentials.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_worked_is_tried_first_for_ten_minutes() {
        let [six, four]: [SocketAddr; 2] =
            ["[2001:db8::1]:25".parse().unwrap(), "192.0.2.1:25".parse().unwrap()];
        let (preferred, now) = (Preferred::default(), Instant::now());
        let order = |now| {
            let mut addresses = [six, four];
            preferred.sort(&mut addresses, now);
            addresses
        };
        assert_eq!(order(now), [six, four]);
        preferred.set(four, now);
        assert_eq!(order(now), [four, six]);
        assert_eq!(order(now + PREFERENCE), [six, four]);
    }
}
