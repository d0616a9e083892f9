//! The hosts to which members may be sent to sign in.

use super::checklist::Checklist;
use crate::base::config::OauthHosts;
use std::io;

const CHECK: &str = "sign-in hosts";

/// `seen`: the hosts of the reconnect URLs so far.
pub(super) fn check(allowed: &OauthHosts, seen: &[String], checklist: &Checklist) -> io::Result<()> {
    if allowed.is_empty() {
        let message = if seen.is_empty() {
            "gateway.oauth_hosts is empty, so a reconnect URL may lead to any https host; none was seen so far".to_owned()
        } else {
            format!(
                "gateway.oauth_hosts is empty, so a reconnect URL may lead to any https host; to allow only those seen so \
                 far, after you check them: oauth_hosts = {seen:?}"
            )
        };
        return checklist.hosts_warning(CHECK, &message, seen);
    }
    let missing: Vec<String> = seen.iter().filter(|host| !allowed.allows(host)).cloned().collect();
    if missing.is_empty() {
        return checklist.ok(CHECK, "gateway.oauth_hosts allows all hosts seen so far");
    }
    let message =
        format!("gateway.oauth_hosts does not allow these hosts, which were seen earlier: {missing:?}");
    checklist.hosts_warning(CHECK, &message, &missing)
}
