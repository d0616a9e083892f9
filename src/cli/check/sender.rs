//! Whether receivers can tell that the mail server may send for the sender's domain: its SPF and DMARC records. A problem
//! here never fails the check, because the daemon can do its job.

use super::checklist::Checklist;
use super::domains::sender_domain;
use crate::base::config::{Channel, Config, TransportKind};
use crate::base::registrable_domain::registrable_domain;
use crate::mail::{Dmarc, DmarcPolicy, Resolver, SenderRecords, Spf};
use std::io;

const SPF: &str = "SPF";
const DMARC: &str = "DMARC";
/// These, and all names below them, are not in the public DNS (RFC 2606, 6761, and 6762).
const RESERVED: [&str; 9] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "invalid",
    "local",
    "localhost",
    "test",
    "internal",
];

/// A message, and whether it is a warning.
type Finding = (bool, String);

pub(super) async fn check(config: &Config, checklist: &Checklist) -> io::Result<()> {
    let domain = sender_domain(config);
    let transport = config.email.transport;
    let reason = match (config.notices.channel, transport) {
        (Channel::Webhook, _) => Some("notices.channel is \"webhook\"".to_owned()),
        (_, TransportKind::File) => Some("email.transport is \"file\"".to_owned()),
        (_, TransportKind::Stdout) => Some("email.transport is \"stdout\"".to_owned()),
        (_, TransportKind::Smtp) if is_reserved(&domain) => {
            Some(format!("email.from is of {domain}, which is no public domain"))
        }
        (_, TransportKind::Smtp) => None,
    };
    if let Some(reason) = reason {
        let message = format!("not checked: {reason}");
        checklist.ok(SPF, &message)?;
        return checklist.ok(DMARC, &message);
    }
    let found = async { Resolver::from_system()?.sender_records(&domain).await };
    let (spf, dmarc) = match found.await {
        Ok(records) => (spf(&domain, &records.spf), dmarc(&domain, &records)),
        Err(error) => {
            let finding =
                (true, format!("not checked: {error}; run the check where {domain} can be looked up"));
            (finding.clone(), finding)
        }
    };
    for (check, (is_warning, message)) in [(SPF, spf), (DMARC, dmarc)] {
        if is_warning {
            checklist.warning(check, &message)?;
        } else {
            checklist.ok(check, &message)?;
        }
    }
    Ok(())
}

fn is_reserved(domain: &str) -> bool {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let is_name =
        domain.contains('.') && registrable_domain(&domain).contains(|c: char| c.is_ascii_alphabetic());
    let is_below =
        |name: &&str| domain.strip_suffix(*name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !is_name || RESERVED.iter().any(is_below)
}

fn spf(domain: &str, spf: &Spf) -> Finding {
    match spf {
        Spf::Restricted => {
            (false, format!("{domain} has a record, for the envelope sender, which is email.from, too"))
        }
        Spf::Missing => (
            true,
            format!(
                "{domain} has no record, so receivers cannot tell your mail server from a forger's; publish a TXT record such as \
                 \"v=spf1 include:YOUR-MAIL-PROVIDER -all\""
            ),
        ),
        Spf::Several => {
            (true, format!("{domain} has several records, which count as none; merge them into one"))
        }
        Spf::Anybody => (
            true,
            format!(
                "the record of {domain} lets every server send (+all); name your mail server, and end it with -all"
            ),
        ),
    }
}

fn dmarc(domain: &str, records: &SenderRecords) -> Finding {
    let place = records.inherited_from.as_deref().unwrap_or(domain);
    match records.dmarc {
        Dmarc::Published(DmarcPolicy::None) => (
            false,
            format!(
                "_dmarc.{place} has the policy none: forged emails are delivered; when its reports show that yours pass, \
                     write p=quarantine"
            ),
        ),
        Dmarc::Published(policy) => (false, format!("_dmarc.{place} has the policy {}", policy.as_str())),
        Dmarc::Missing => (
            true,
            format!(
                "_dmarc.{place} has no record, so some receivers reject or hide your emails; publish a TXT record such as \
                     \"v=DMARC1; p=none; rua=mailto:YOUR-ADDRESS\""
            ),
        ),
        Dmarc::Several => {
            (true, format!("_dmarc.{place} has several records, which count as none; keep one"))
        }
        Dmarc::Invalid => (
            true,
            format!(
                "the record of _dmarc.{place} has no valid policy; write p=none, p=quarantine, or p=reject"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_domains_are_looked_up() {
        for domain in [
            "localhost",
            "mail.localhost",
            "example.org",
            "a.Example.com",
            "clinic.test",
            "intranet",
            "192.0.2.1",
        ] {
            assert!(is_reserved(domain), "{domain}");
        }
        for domain in ["clinic.org", "myexample.org", "notices.clinic.health", "test.clinic.org"] {
            assert!(!is_reserved(domain), "{domain}");
        }
    }

    #[test]
    fn what_receivers_need_and_do_not_find_is_a_warning() {
        for (records, is_warning) in
            [(Spf::Restricted, false), (Spf::Missing, true), (Spf::Several, true), (Spf::Anybody, true)]
        {
            assert_eq!(spf("clinic.org", &records).0, is_warning, "{records:?}");
        }
        for (dmarc_record, is_warning) in [
            (Dmarc::Published(DmarcPolicy::None), false),
            (Dmarc::Published(DmarcPolicy::Reject), false),
            (Dmarc::Missing, true),
            (Dmarc::Several, true),
            (Dmarc::Invalid, true),
        ] {
            let inherited_from = Some("clinic.org".to_owned());
            let records = SenderRecords { spf: Spf::Restricted, dmarc: dmarc_record, inherited_from };
            let (found, message) = dmarc("notices.clinic.org", &records);
            assert_eq!(found, is_warning, "{dmarc_record:?}");
            assert!(message.contains("_dmarc.clinic.org"), "{message}");
        }
    }
}
