//! The domain that an organization registered, by the public suffix list.

use std::net::IpAddr;

/// Such as `example.org` for `mail.example.org`. A host without one, such as an address, stands for itself. `host` is in ASCII,
/// as in a URL.
pub(crate) fn registrable_domain(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.trim_matches(['[', ']']);
    if bare.parse::<IpAddr>().is_ok() {
        return host;
    }
    psl::domain_str(&host).map_or_else(|| host.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::registrable_domain;

    #[test]
    fn a_public_suffix_and_one_label_are_registrable() {
        for (host, expected) in [
            ("example.org", "example.org"),
            ("Mail.Notices.Example.org.", "example.org"),
            ("a.example.co.uk", "example.co.uk"),
            // Each customer of a host of pages has a domain of its own.
            ("one.github.io", "one.github.io"),
            ("a.b.example.unknown", "example.unknown"),
            ("xn--bro-hoa.example.de", "example.de"),
            ("co.uk", "co.uk"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(registrable_domain(host), expected, "{host}");
        }
    }
}
