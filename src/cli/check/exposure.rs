//! What others can reach: listeners, and a configuration file with secrets.

use super::checklist::Checklist;
use crate::base::config::{Config, Loaded};
use secrecy::ExposeSecret;
use std::io;
use std::net::SocketAddr;

/// Characters of `admin.token`. A random one of 128 bits has 22 in base64.
const MIN_TOKEN: usize = 20;

pub(super) fn check_configuration(loaded: &Loaded, source: &str, checklist: &Checklist) -> io::Result<()> {
    if loaded.exposes_secret {
        let message = format!(
            "{source} contains a secret that other users can read or write; run `chmod 640 {source}`"
        );
        return checklist.warning("configuration", &message);
    }
    checklist.ok("configuration", source)
}

pub(super) fn check(loaded: &Loaded, checklist: &Checklist) -> io::Result<()> {
    let Config { links, admin, .. } = &loaded.config;
    listener(checklist, "links listener", links.listen, |address| {
        (links.trusted_proxies > 0).then(|| {
            format!(
                "links.listen = {address}: a client that gets past the proxy can forge its address, because \
                 links.trusted_proxies = {}; listen on an address that only the proxy can reach",
                links.trusted_proxies
            )
        })
    })?;
    listener(checklist, "admin listener", admin.listen, |address| {
        Some(format!("admin.listen = {address}: everyone who can connect can read the metrics"))
    })?;
    admin_token(checklist, admin.token.expose_secret())
}

/// The tokens of `admin.tokens` are random, as far as their digests tell.
fn admin_token(checklist: &Checklist, token: &str) -> io::Result<()> {
    if token.is_empty() || token.len() >= MIN_TOKEN {
        return Ok(());
    }
    let message = format!(
        "admin.token has fewer than {MIN_TOKEN} characters and can be guessed; use one of `reconnectd tokens generate`"
    );
    checklist.warning("admin token", &message)
}

/// `risk` says what is wrong with an address that other machines may reach.
fn listener(
    checklist: &Checklist,
    check: &str,
    address: SocketAddr,
    risk: impl FnOnce(SocketAddr) -> Option<String>,
) -> io::Result<()> {
    let is_open = address.ip().is_unspecified();
    match risk(address).filter(|_| is_open) {
        Some(risk) => checklist.warning(check, &risk),
        None => checklist.ok(check, &address.to_string()),
    }
}
