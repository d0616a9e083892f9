//! Who asks: the address that limits count by.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// One client, as far as addresses tell: an IPv4 address, or the /64 of an IPv6 one, which a household has as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

const FORWARDED_FOR: &str = "x-forwarded-for";

impl Client {
    /// The client behind `proxies` of our own proxies. Each appends the address that it was asked from to
    /// `X-Forwarded-For`, so the client is that many entries from the right; what stands further left anyone can write.
    /// Without so many readable entries it is whoever is connected.
    pub(super) fn of(peer: SocketAddr, headers: &HeaderMap, proxies: usize) -> Self {
        Self::new(forwarded(headers, proxies).unwrap_or(peer.ip()))
    }

    fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }
}

fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let from_right = proxies.checked_sub(1)?;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    address(std::str::from_utf8(entries.nth(from_right)?).ok()?.trim())
}

/// An address, with or without a port.
fn address(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry.parse().ok().or_else(with_port).or_else(in_brackets)
}

/// Whether a proxy says that it asks for somebody else.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(peer: &str, lines: &[&str], proxies: usize) -> Client {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        Client::of(SocketAddr::new(peer.parse().unwrap(), 4711), &headers, proxies)
    }

    #[test]
    fn the_client_is_found_behind_the_proxies_that_are_ours() {
        let peer = "10.0.0.1";
        let rows: [(&str, &[&str], usize, &str); 15] = [
            ("without a proxy of ours the header is anyone's", &["198.51.100.7"], 0, peer),
            ("one proxy names its client", &["198.51.100.7"], 1, "198.51.100.7"),
            ("what a client wrote stands further left", &["1.2.3.4, 198.51.100.7"], 1, "198.51.100.7"),
            (
                "two proxies: the second from the right",
                &["1.2.3.4, 198.51.100.7, 10.0.0.2"],
                2,
                "198.51.100.7",
            ),
            ("several lines are one list", &["1.2.3.4", "198.51.100.7", "10.0.0.2"], 2, "198.51.100.7"),
            ("lines and commas mix", &["1.2.3.4,198.51.100.7", "10.0.0.2"], 2, "198.51.100.7"),
            ("too few entries", &["198.51.100.7"], 2, peer),
            ("no header", &[], 1, peer),
            ("an entry that is no address", &["198.51.100.7, unknown"], 1, peer),
            ("an empty entry", &["198.51.100.7,"], 1, peer),
            ("a port is left out", &["198.51.100.7:443"], 1, "198.51.100.7"),
            ("IPv6", &["2001:db8::1"], 1, "2001:db8::"),
            ("IPv6 with a port", &["[2001:db8::1]:443"], 1, "2001:db8::"),
            ("IPv6 in brackets", &["[2001:db8::1]"], 1, "2001:db8::"),
            ("bytes that are no text", &["198.51.100.7, \u{ff}"], 1, peer),
        ];
        for (sentence, lines, proxies, expected) in rows {
            assert_eq!(client(peer, lines, proxies), Client(expected.parse().unwrap()), "{sentence}");
        }
    }

    #[test]
    fn a_household_shares_its_ipv6_network_and_an_ipv4_address_is_one_however_it_is_written() {
        assert_eq!(client("2001:db8:0:1::1", &[], 0), client("2001:db8:0:1:ffff::2", &[], 0));
        assert_ne!(client("2001:db8:0:1::1", &[], 0), client("2001:db8:0:2::1", &[], 0));
        assert_eq!(client("::ffff:198.51.100.7", &[], 0), client("198.51.100.7", &[], 0));
        assert_ne!(client("198.51.100.7", &[], 0), client("198.51.100.8", &[], 0));
    }
}
