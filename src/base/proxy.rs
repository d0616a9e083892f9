//! The proxy of a request, by the usual environment variables. Decided for each target: a request to this machine never
//! goes through a proxy, because it can carry a token in clear text.

use crate::base::config::is_loopback_host;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// Read once, when a client is created.
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    /// Intercepts the targets that `NO_PROXY` does not exempt.
    exemptions: Matcher,
    /// The variables that name no proxy that can be used.
    pub(crate) unusable: Vec<&'static str>,
}

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, and `NO_PROXY`, or their names in lower case. In a CGI program, which
    /// has `REQUEST_METHOD`, a client could set `HTTP_PROXY`, so there they have no effect.
    pub(crate) fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either_case = |name: &str| variable(name).or_else(|| variable(&name.to_lowercase()));
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let mut unusable = Vec::new();
        let mut proxy = |name| {
            let text = either_case(name).filter(|text| !is_cgi && !text.is_empty())?;
            let proxy = parse(&text);
            if proxy.is_none() {
                unusable.push(name);
            }
            proxy
        };
        let all = proxy("ALL_PROXY");
        let any = "http://proxy.invalid";
        Self {
            http: proxy("HTTP_PROXY").or_else(|| all.clone()),
            https: proxy("HTTPS_PROXY").or(all),
            exemptions: Matcher::builder().all(any).no(either_case("NO_PROXY").unwrap_or_default()).build(),
            unusable,
        }
    }

    /// Whether no request goes through a proxy.
    pub(crate) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The proxy for requests to `target`, with its credentials. `None`: the request goes to the target itself.
    pub(crate) fn of_target(&self, target: &Url) -> Option<&Url> {
        let uri = target.as_str().parse().ok()?;
        if target.host_str().is_some_and(is_loopback_host) || self.exemptions.intercept(&uri).is_none() {
            return None;
        }
        if target.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }
}

/// `None`: not usable as a proxy. Without a scheme, the proxy speaks HTTP.
fn parse(text: &str) -> Option<Url> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_decides_which_proxy_is_used() {
        let http = ("http_proxy", "http://user:secret@web.example:3128");
        let https = ("HTTPS_PROXY", "secure.example:8080");
        let all = ("ALL_PROXY", "https://all.example");
        let socks = ("ALL_PROXY", "socks5://all.example");
        let no = ("NO_PROXY", "internal.example, 10.0.0.0/8");
        let secure = Some("http://secure.example:8080/");
        #[rustfmt::skip]
        let rows = [
            ("no variables", vec![], "https://api.example/v1", None),
            ("https", vec![http, https], "https://api.example/v1", secure),
            ("http, with the proxy's password", vec![http, https], "http://api.example/v1", Some("http://user:secret@web.example:3128/")),
            ("localhost", vec![http, https, all], "http://localhost:9000/token", None),
            ("an address of this machine", vec![http, https, all], "http://127.9.0.1/token", None),
            ("its IPv6 address", vec![http, https, all], "https://[::1]:9000/token", None),
            ("the fallback for both", vec![all], "https://api.example/v1", Some("https://all.example/")),
            ("its own variable comes first", vec![all, https], "https://api.example/v1", secure),
            ("a protocol that is not supported", vec![socks], "https://api.example/v1", None),
            ("an exempt domain", vec![https, no], "https://broker.internal.example/", None),
            ("an exempt network", vec![https, no], "https://10.1.2.3/", None),
            ("not exempt", vec![https, no], "https://api.example/", secure),
            ("a CGI program", vec![https, ("REQUEST_METHOD", "GET")], "https://api.example/", None),
        ];
        for (sentence, variables, target, expected) in rows {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
            let proxies = Proxies::from_variables(|name| value(name).map(|(_, value)| (*value).to_owned()));
            let proxy = proxies.of_target(&target.parse().unwrap());
            assert_eq!(proxy.map(Url::as_str), expected, "{sentence}");
        }
    }
}
