//! Which reconnect URLs a member may be sent to.

use super::error::{Fault, SetupError};
use crate::base::config::is_loopback_host;
use crate::domain::OauthUrl;
use url::{Host, Url};

/// Longer ones do not fit into a header that common proxies let pass.
const LONGEST: usize = 8 * 1024;

/// The hosts a reconnect URL may lead to; when there are none, any host.
#[derive(Debug)]
pub(super) struct OauthHosts(Vec<Rule>);

#[derive(Debug)]
enum Rule {
    Exactly(String),
    /// Any host that ends in this, which starts with a dot.
    Under(String),
}

impl OauthHosts {
    /// Reads `gateway.oauth_hosts`: host names, or `*.` and a name for every host under it.
    pub(super) fn parse(entries: &[String]) -> Result<Self, SetupError> {
        entries.iter().map(|entry| Rule::parse(entry)).collect::<Result<_, _>>().map(Self)
    }

    /// The URL, when a member may be sent there: absolute, https or to this machine, and to an allowed host.
    /// The error may name the host but not the URL, which can carry secrets.
    pub(super) fn admit(&self, text: &str) -> Result<OauthUrl, Fault> {
        let refuse = |why: &str| Err(Fault::Permanent(format!("the reconnect URL {why}")));
        if text.len() > LONGEST {
            return refuse("is longer than 8 KiB");
        }
        let Ok(url) = Url::parse(text) else {
            return refuse("is not an absolute URL");
        };
        if !(url.scheme() == "https"
            || url.scheme() == "http" && url.host_str().is_some_and(is_loopback_host))
        {
            return refuse("is neither https nor http to this machine");
        }
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        if !self.0.is_empty() && !self.0.iter().any(|rule| rule.admits(host)) {
            return refuse(&format!("leads to the host {host}, which gateway.oauth_hosts does not list"));
        }
        // As parsed: plain ASCII, and fit for a header.
        Ok(OauthUrl::new(url))
    }
}

impl Rule {
    fn parse(entry: &str) -> Result<Self, SetupError> {
        let (name, under) = match entry.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (entry, false),
        };
        // The URL parser's own reading: lower case, Unicode names as in DNS.
        match Host::parse(name.trim_end_matches('.')) {
            Ok(host) if under => Ok(Self::Under(format!(".{host}"))),
            Ok(host) => Ok(Self::Exactly(host.to_string())),
            Err(_) => Err(SetupError::new(
                "gateway.oauth_hosts",
                format!("{entry:?} is not a host name (nor one behind \"*.\")"),
            )),
        }
    }

    fn admits(&self, host: &str) -> bool {
        match self {
            Self::Exactly(name) => host == name,
            Self::Under(suffix) => host.ends_with(suffix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(entries: &[&str]) -> OauthHosts {
        OauthHosts::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_reconnect_url_is_absolute_and_https_or_leads_to_this_machine() {
        let any = hosts(&[]);
        for good in [
            "https://idp.example/authorize?state=s3cret",
            "https://203.0.113.7/x",
            "HTTPS://IDP.example/",
            "http://localhost:8081/x",
            "http://LOCALHOST/x",
            "http://127.9.8.7/x",
            "http://[::1]:8081/x",
        ] {
            assert!(any.admit(good).is_ok(), "{good}");
        }
        let long = format!("https://idp.example/?{}", "x".repeat(LONGEST));
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
            &long,
        ] {
            let fault = any.admit(bad).unwrap_err();
            assert!(matches!(fault, Fault::Permanent(_)), "{bad}");
            assert!(!fault.to_string().contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn a_listed_host_is_matched_whole_and_without_regard_to_case() {
        let listed = hosts(&["IdP.example", "*.portal.example", "exámple.org", "[::1]"]);
        for good in [
            "https://idp.example/",
            "https://IDP.EXAMPLE:8443/",
            "https://idp.example./",
            "https://a.portal.example/",
            "https://a.b.PORTAL.example/",
            "https://ex%C3%A1mple.org/",
            "http://[::1]/",
        ] {
            assert!(listed.admit(good).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example/?s3cret",
            "https://idp.example.evil.example/?s3cret",
            "https://evil-idp.example/?s3cret",
            "https://idp.example@evil.example/?s3cret",
            "https://portal.example/?s3cret",
            "https://evilportal.example/?s3cret",
            "http://localhost/?s3cret",
        ] {
            let fault = listed.admit(bad).unwrap_err();
            assert!(fault.to_string().contains("gateway.oauth_hosts"), "{bad}: {fault}");
            assert!(!fault.to_string().contains("s3cret"), "{fault}");
        }
    }

    #[test]
    fn an_entry_that_is_no_host_name_is_refused_by_name() {
        for entry in ["", "*.", "https://idp.example", "idp.example:443", "idp.example/x", "a b"] {
            let error = OauthHosts::parse(&[entry.to_owned()]).unwrap_err().to_string();
            assert!(
                error.contains("gateway.oauth_hosts") && error.contains(&format!("{entry:?}")),
                "{error}"
            );
        }
    }
}
