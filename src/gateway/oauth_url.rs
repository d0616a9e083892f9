//! The check of a reconnect URL before a member is sent there.

use super::fault::Fault;
use crate::{
    base::config::{OauthHosts, is_local_url, is_loopback_host},
    domain::OauthUrl,
};
use url::Url;

/// A longer URL does not fit into a header that common proxies let through.
const MAX_BYTES: usize = 8 * 1024;

/// The hosts that a reconnect URL may lead to.
pub(super) struct HostRules<'a> {
    pub(super) hosts: &'a OauthHosts,
    /// Whether a URL may lead to the member's own machine although `hosts` does not list it. In a trial, that is where the
    /// gateway is.
    pub(super) allows_local: bool,
}

/// Accepts an absolute URL that is https, or http on this machine, and whose host is allowed. The fault may name the
/// host but not the URL, which may contain secrets.
pub(super) fn validate(text: &str, rules: &HostRules<'_>) -> Result<OauthUrl, Fault> {
    let reject = |why: &str| Err(Fault::Permanent(format!("the reconnect URL {why}")));
    if text.len() > MAX_BYTES {
        return reject("is longer than 8 KiB");
    }
    let Ok(url) = Url::parse(text) else {
        return reject("is not an absolute URL");
    };
    let host = url.host_str().unwrap_or_default();
    if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback_host(host)) {
        return reject("is neither https nor http on this machine");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return reject("contains a user name or a password");
    }
    let HostRules { hosts, allows_local } = rules;
    if !hosts.allows(host) {
        return reject(&format!("leads to the host {host}, which gateway.oauth_hosts does not list"));
    }
    if is_local_url(&url) && !allows_local && !hosts.lists(host) {
        return reject(&format!("leads to the host {host}, which is the member's own machine"));
    }
    // The parsed form is plain ASCII, so that it fits into a header.
    Ok(OauthUrl::new(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate_here(text: &str, hosts: &OauthHosts) -> Result<OauthUrl, Fault> {
        validate(text, &HostRules { hosts, allows_local: true })
    }

    #[test]
    fn a_reconnect_url_leads_to_the_own_machine_only_in_a_trial_or_when_listed() {
        let urls = [
            "http://localhost:8081/?s3cret",
            "https://127.0.0.1/?s3cret",
            "https://[::ffff:127.0.0.1]/?s3cret",
        ];
        let (any, other) = (OauthHosts::default(), OauthHosts::of(&["idp.example"]));
        let listed = OauthHosts::of(&["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"]);
        for url in urls {
            let allowed = |hosts, allows_local| validate(url, &HostRules { hosts, allows_local });
            assert!(allowed(&any, true).is_ok() && allowed(&listed, false).is_ok(), "{url}");
            for hosts in [&any, &other] {
                let fault = allowed(hosts, false).unwrap_err();
                assert!(
                    matches!(fault, Fault::Permanent(_)) && !fault.to_string().contains("s3cret"),
                    "{fault}"
                );
            }
        }
        assert!(validate("https://idp.example/", &HostRules { hosts: &any, allows_local: false }).is_ok());
    }

    #[test]
    fn a_reconnect_url_is_absolute_and_https_or_on_this_machine() {
        let any = OauthHosts::default();
        for good in [
            "https://idp.example/authorize?state=s3cret",
            "https://203.0.113.7/x",
            "HTTPS://IDP.example/",
            "http://localhost:8081/x",
            "http://LOCALHOST/x",
            "http://127.9.8.7/x",
            "http://[::1]:8081/x",
        ] {
            assert!(validate_here(good, &any).is_ok(), "{good}");
        }
        let long = format!("https://idp.example/?{}", "x".repeat(MAX_BYTES));
        for bad in [
            "",
            "/authorize?state=s3cret",
            "//idp.example/authorize?state=s3cret",
            "idp.example/authorize?state=s3cret",
            "http://idp.example/authorize?state=s3cret",
            "http://localhost.evil.example/?state=s3cret",
            "http://127.0.0.1.evil.example/?state=s3cret",
            "http://[::2]/?state=s3cret",
            "javascript:alert('s3cret')",
            "data:text/html,s3cret",
            "file:///s3cret",
            "https://?state=s3cret",
            "https://ann:s3cret@idp.example/",
            "https://ann@idp.example/?state=s3cret",
            &long,
        ] {
            let fault = validate_here(bad, &any).unwrap_err();
            assert!(matches!(fault, Fault::Permanent(_)), "{bad}");
            assert!(!fault.to_string().contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn the_host_must_be_allowed_as_the_url_parser_reads_it() {
        let hosts = OauthHosts::of(&["IdP.example", "*.portal.example", "exámple.org", "[::1]"]);
        for good in [
            "https://idp.example/",
            "https://IDP.EXAMPLE:8443/",
            "https://idp.example./",
            "https://a.portal.example/",
            "https://a.b.PORTAL.example/",
            "https://ex%C3%A1mple.org/",
            "http://[::1]/",
        ] {
            assert!(validate_here(good, &hosts).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example/?s3cret",
            "https://idp.example.evil.example/?s3cret",
            "https://evil-idp.example/?s3cret",
            "https://portal.example/?s3cret",
            "https://evilportal.example/?s3cret",
            "http://localhost/?s3cret",
        ] {
            let fault = validate_here(bad, &hosts).unwrap_err();
            assert!(fault.to_string().contains("gateway.oauth_hosts"), "{bad}: {fault}");
            assert!(!fault.to_string().contains("s3cret"), "{fault}");
        }
    }
}
