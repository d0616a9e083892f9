//! The rules for hosts of this machine: which may be reached without TLS, and which are no host of another one.

use std::net::IpAddr;
use url::{Host, Url};

/// Whether `host` can only be this machine: `localhost`, 127.0.0.0/8, or `::1`, with or without brackets.
///
/// Names under `localhost` are rejected: RFC 6761 reserves them, but not every resolver knows them, so a
/// configuration that passes would fail when the daemon connects.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether `url` leads to the machine of the person who opens it. Unlike [`is_loopback_host`], it includes all names and
/// addresses that some resolver or system takes for the machine itself.
pub(crate) fn is_local_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => match address.to_ipv4() {
            // Mapped or compatible. The latter include `::` and `::1`.
            Some(inner) => address.is_loopback() || inner.is_loopback() || inner.is_unspecified(),
            None => false,
        },
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_local_url, is_loopback_host};

    #[test]
    fn every_spelling_of_the_own_machine_is_local() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "%6Cocalhost",
            "127.0.0.1",
            "127.9.9.9.",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0.0.0.0",
            "0",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:0.0.0.0]",
            "[::127.0.0.1]",
        ] {
            assert!(is_local_url(&format!("https://{host}/").parse().unwrap()), "{host}");
        }
        for host in [
            "localhost.example",
            "notlocalhost",
            "127.0.0.1.example",
            "10.0.0.1",
            "[::2]",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(!is_local_url(&format!("https://{host}/").parse().unwrap()), "{host}");
        }
    }

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
