//! The tokens of the configuration.

use crate::base::config::{Admin, SINGLE_TOKEN};
use crate::domain::{Actor, Scope, TokenDigest};
use secrecy::ExposeSecret;
use std::sync::Arc;

pub(in crate::web::admin) const NO_TOKENS: &str = "no token is configured; run `reconnectd tokens generate`, and add the \
                                                   line that it prints to admin.tokens in the configuration";

/// The holder of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web::admin) struct Access {
    pub(in crate::web::admin) name: Arc<str>,
    pub(in crate::web::admin) scope: Scope,
}

impl Access {
    pub(in crate::web::admin) fn may_write(&self) -> bool {
        self.scope == Scope::Write
    }

    /// For `Store::acting_as`.
    pub(in crate::web::admin) fn actor(&self) -> Actor {
        Actor::Token(self.name.to_string())
    }
}

#[derive(Debug)]
pub(crate) struct AccessTokens(Vec<(TokenDigest, Access)>);

impl AccessTokens {
    pub(crate) fn new(settings: &Admin) -> Self {
        let single = settings.token.expose_secret();
        let single = (!single.is_empty()).then(|| {
            let access = Access { name: SINGLE_TOKEN.into(), scope: Scope::Write };
            (TokenDigest::of(single.as_bytes()), access)
        });
        let tokens = settings
            .tokens
            .iter()
            .map(|token| (token.sha256, Access { name: token.name.as_str().into(), scope: token.scope }));
        Self(single.into_iter().chain(tokens).collect())
    }

    pub(in crate::web::admin) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with every digest, so that the time reveals nothing.
    pub(in crate::web::admin) fn find(&self, token: &[u8]) -> Option<&Access> {
        let given = TokenDigest::of(token);
        let mut found = None;
        for (digest, access) in &self.0 {
            if *digest == given {
                found = Some(access);
            }
        }
        found
    }

    /// For a session, which names its token. A token with another scope is another one.
    pub(in crate::web::admin) fn by_name(&self, name: &str, scope: Scope) -> Option<&Access> {
        self.0.iter().map(|(_, access)| access).find(|access| &*access.name == name && access.scope == scope)
    }

    /// Changes when the token is replaced by another one of the same name.
    pub(in crate::web::admin) fn fingerprint(&self, of: &Access) -> Option<String> {
        self.0.iter().find(|(_, access)| access == of).map(|(digest, _)| digest.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Config;

    fn tokens(settings: &[(&str, &str)]) -> AccessTokens {
        let variables = settings.iter().map(|(key, value)| (format!("RECONNECTD__ADMIN__{key}"), *value));
        AccessTokens::new(&Config::load(None, variables).unwrap().config.admin)
    }

    #[test]
    fn a_token_is_found_by_its_digest_and_has_its_scope() {
        let table = |name: &str, scope: &str| {
            format!(
                "{{ name = '{name}', sha256 = '{}', scope = '{scope}' }}",
                TokenDigest::of(name.as_bytes())
            )
        };
        let listed = format!("[{}, {}]", table("one", "read"), table("two", "write"));
        let tokens = tokens(&[("TOKEN", "all"), ("TOKENS", &listed)]);
        let scope = |token: &str| tokens.find(token.as_bytes()).map(|access| (&*access.name, access.scope));
        assert_eq!(scope("one"), Some(("one", Scope::Read)));
        assert_eq!(scope("two"), Some(("two", Scope::Write)));
        assert_eq!(scope("all"), Some(("admin", Scope::Write)));
        assert_eq!(scope("three"), None);
        assert_eq!(scope(""), None);
        assert!(tokens.by_name("one", Scope::Read).is_some());
        assert!(tokens.by_name("one", Scope::Write).is_none(), "its scope has changed since the login");
    }

    #[test]
    fn without_settings_there_is_no_token_not_even_an_empty_one() {
        let tokens = tokens(&[]);
        assert!(tokens.is_empty());
        assert_eq!(tokens.find(b""), None);
    }
}
