//! Identifies a client for rate limits by its address.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IPv4 address, or an IPv6 /64 network: a household has a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RateLimitKey(IpAddr);

/// A network that shares a quota: the client itself, or for IPv6 also its /56 and its /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u8,
}

const FORWARDED_FOR: &str = "x-forwarded-for";

impl RateLimitKey {
    /// Each of the operator's proxies appends the address of its client to `X-Forwarded-For`. So the entry at position
    /// `trusted_proxies` from the right is the client; anyone can write the entries to its left. Falls back to `peer`.
    pub(super) fn new(peer: SocketAddr, headers: &HeaderMap, trusted_proxies: usize) -> Self {
        let address = forwarded_address(headers, trusted_proxies).unwrap_or(peer.ip());
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }
}

impl RateLimitKey {
    /// From the smallest to the largest. A customer can have a whole /56 or /48, and thousands of /64 networks in it.
    pub(super) fn networks(self) -> impl Iterator<Item = Network> {
        let own = Network { address: self.0, prefix: 64 };
        let wider = match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                let network =
                    |d, prefix| Network { address: Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), prefix };
                Some([network(d & 0xff00, 56), network(0, 48)])
            }
        };
        [own].into_iter().chain(wider.into_iter().flatten())
    }
}

fn forwarded_address(headers: &HeaderMap, trusted_proxies: usize) -> Option<IpAddr> {
    let from_right = trusted_proxies.checked_sub(1)?;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    parse_address(std::str::from_utf8(entries.nth(from_right)?).ok()?.trim())
}

/// Accepts an address with or without a port.
fn parse_address(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry.parse().ok().or_else(with_port).or_else(in_brackets)
}

pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn key(peer: &str, lines: &[&str], trusted_proxies: usize) -> RateLimitKey {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        RateLimitKey::new(SocketAddr::new(peer.parse().unwrap(), 4711), &headers, trusted_proxies)
    }

    #[test]
    fn the_key_is_the_client_in_front_of_the_trusted_proxies() {
        let peer = "10.0.0.1";
        let rows: [(&str, &[&str], usize, &str); 15] = [
            ("without a trusted proxy the header is ignored", &["198.51.100.7"], 0, peer),
            ("one proxy names its client", &["198.51.100.7"], 1, "198.51.100.7"),
            ("entries further left are ignored", &["1.2.3.4, 198.51.100.7"], 1, "198.51.100.7"),
            (
                "two proxies: the second entry from the right",
                &["1.2.3.4, 198.51.100.7, 10.0.0.2"],
                2,
                "198.51.100.7",
            ),
            ("several lines form one list", &["1.2.3.4", "198.51.100.7", "10.0.0.2"], 2, "198.51.100.7"),
            ("lines and commas mix", &["1.2.3.4,198.51.100.7", "10.0.0.2"], 2, "198.51.100.7"),
            ("too few entries", &["198.51.100.7"], 2, peer),
            ("no header", &[], 1, peer),
            ("an entry that is not an address", &["198.51.100.7, unknown"], 1, peer),
            ("an empty entry", &["198.51.100.7,"], 1, peer),
            ("a port is removed", &["198.51.100.7:443"], 1, "198.51.100.7"),
            ("IPv6", &["2001:db8::1"], 1, "2001:db8::"),
            ("IPv6 with a port", &["[2001:db8::1]:443"], 1, "2001:db8::"),
            ("IPv6 in brackets", &["[2001:db8::1]"], 1, "2001:db8::"),
            ("bytes that are not text", &["198.51.100.7, \u{ff}"], 1, peer),
        ];
        for (sentence, lines, proxies, expected) in rows {
            assert_eq!(key(peer, lines, proxies), RateLimitKey(expected.parse().unwrap()), "{sentence}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_key_and_mapped_ipv4_addresses_equal_plain_ones() {
        assert_eq!(key("2001:db8:0:1::1", &[], 0), key("2001:db8:0:1:ffff::2", &[], 0));
        assert_ne!(key("2001:db8:0:1::1", &[], 0), key("2001:db8:0:2::1", &[], 0));
        assert_eq!(key("::ffff:198.51.100.7", &[], 0), key("198.51.100.7", &[], 0));
        assert_ne!(key("198.51.100.7", &[], 0), key("198.51.100.8", &[], 0));
    }
}
