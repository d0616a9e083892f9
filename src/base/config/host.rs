//! The one rule for hosts that may be reached without TLS.

use std::net::IpAddr;

/// Whether `host` can only be this machine: `localhost`, 127.0.0.0/8, or `::1`, with or without brackets.
///
/// Names under `localhost` are rejected: RFC 6761 reserves them, but not every resolver knows them, so a
/// configuration that passes would fail when the daemon connects.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback_host;

    #[test]
    fn only_localhost_and_loopback_addresses_are_loopback_hosts() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "a.localhost",
            "localhost.example",
            "%6Cocalhost",
            "[localhost]",
            "127.0.0.1.example",
            "10.0.0.1",
            "0.0.0.0",
            "::2",
            "notlocalhost",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
