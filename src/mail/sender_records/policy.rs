//! Reads the records. Pure.

/// The servers that may send for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spf {
    Missing,
    /// More than one record, which is an error for every receiver.
    Several,
    /// `+all`: every server of the world.
    Anybody,
    Restricted,
}

impl Spf {
    /// From the TXT records of a domain.
    pub(super) fn read(texts: &[String]) -> Self {
        let is_spf = |text: &&String| words(text).next().is_some_and(|word| word == "v=spf1");
        let records: Vec<_> = texts.iter().filter(is_spf).collect();
        match records[..] {
            [] => Self::Missing,
            [record] if words(record).any(|word| word == "all" || word == "+all") => Self::Anybody,
            [_] => Self::Restricted,
            _ => Self::Several,
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}

/// What receivers do with an email that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DmarcPolicy {
    /// They deliver it, and report it if the domain wants reports.
    None,
    Quarantine,
    Reject,
}

impl DmarcPolicy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|policy| text.eq_ignore_ascii_case(policy.as_str()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dmarc {
    Missing,
    Several,
    /// Without a valid `p=`.
    Invalid,
    Published(DmarcPolicy),
}

impl Dmarc {
    /// From the TXT records of `_dmarc` below the domain itself.
    pub(super) fn of_domain(texts: &[String]) -> Self {
        Self::read(texts, &["p"])
    }

    /// From the TXT records of `_dmarc` below the organization's domain, for a domain below it.
    pub(super) fn of_subdomain(texts: &[String]) -> Self {
        Self::read(texts, &["sp", "p"])
    }

    /// `tags`: those that can hold the policy, in the order of their precedence.
    fn read(texts: &[String], tags: &[&str]) -> Self {
        let mut records = texts.iter().map(|text| tags_of(text)).filter(|record| {
            matches!(record.first(), Some(&(name, version)) if name.eq_ignore_ascii_case("v") && version == "DMARC1")
        });
        let (record, other) = (records.next(), records.next());
        let Some(record) = record else { return Self::Missing };
        if other.is_some() {
            return Self::Several;
        }
        let value = |tag: &&str| record.iter().find(|(name, _)| name.eq_ignore_ascii_case(tag));
        let policy = tags.iter().find_map(value).and_then(|(_, policy)| DmarcPolicy::read(policy));
        policy.map_or(Self::Invalid, Self::Published)
    }
}

fn tags_of(record: &str) -> Vec<(&str, &str)> {
    let tags = record.split(';').filter_map(|tag| tag.split_once('='));
    tags.map(|(name, value)| (name.trim(), value.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_spf_record_is_the_only_one_and_does_not_let_everybody_send() {
        for (records, expected) in [
            (&[][..], Spf::Missing),
            (&["google-site-verification=x", "v=spf10 -all", "v=spf1x"], Spf::Missing),
            (&["other", "v=spf1 include:mail.example -all"], Spf::Restricted),
            (&["V=SPF1 mx ~ALL"], Spf::Restricted),
            (&["v=spf1"], Spf::Restricted),
            (&["v=spf1 redirect=_spf.example"], Spf::Restricted),
            (&["v=spf1 mx +all"], Spf::Anybody),
            (&["v=spf1 mx all"], Spf::Anybody),
            (&["v=spf1 -all", "v=spf1 mx -all"], Spf::Several),
        ] {
            assert_eq!(Spf::read(&texts(records)), expected, "{records:?}");
        }
    }

    #[test]
    fn a_dmarc_record_is_the_only_one_and_has_a_policy() {
        use DmarcPolicy::{None, Quarantine, Reject};
        for (records, of_domain, of_subdomain) in [
            (&[][..], Dmarc::Missing, Dmarc::Missing),
            (&["v=spf1 -all", "v=DMARC2; p=none"], Dmarc::Missing, Dmarc::Missing),
            (&["v=DMARC1; p=none"], Dmarc::Published(None), Dmarc::Published(None)),
            (&["v=DMARC1;p=Reject;sp=quarantine"], Dmarc::Published(Reject), Dmarc::Published(Quarantine)),
            (
                &["v = DMARC1 ; rua=mailto:a@b.example; P = reject"],
                Dmarc::Published(Reject),
                Dmarc::Published(Reject),
            ),
            (&["v=DMARC1; rua=mailto:a@b.example"], Dmarc::Invalid, Dmarc::Invalid),
            (&["v=DMARC1; p=maybe"], Dmarc::Invalid, Dmarc::Invalid),
            (&["v=DMARC1; p=none", "v=DMARC1; p=reject"], Dmarc::Several, Dmarc::Several),
        ] {
            let records = texts(records);
            assert_eq!(
                (Dmarc::of_domain(&records), Dmarc::of_subdomain(&records)),
                (of_domain, of_subdomain)
            );
        }
    }
}
