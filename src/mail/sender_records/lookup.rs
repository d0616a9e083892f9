//! Looks the records up, all at the same time.

use super::policy::{Dmarc, Spf};
use crate::base::registrable_domain::registrable_domain;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;
use std::time::Duration;

/// For all look-ups together.
const TIMEOUT: Duration = Duration::from_secs(3);
/// For one request; a second one follows.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1200);
const ATTEMPTS: usize = 2;

/// DNS says nothing about the domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("DNS cannot be reached ({0})")]
    Unreachable(String),
    /// As with the name servers of a closed network.
    #[error("the name servers of this machine do not know {0}")]
    UnknownDomain(String),
}

impl From<NetError> for LookupError {
    fn from(error: NetError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

pub(crate) struct SenderRecords {
    pub(crate) spf: Spf,
    pub(crate) dmarc: Dmarc,
    /// The organization's domain, if the DMARC record is its and not the domain's own.
    pub(crate) inherited_from: Option<String>,
}

pub(crate) struct Resolver(TokioResolver);

impl Resolver {
    /// With the name servers of this machine.
    pub(crate) fn from_system() -> Result<Self, LookupError> {
        let mut builder = TokioResolver::builder_tokio()?;
        let options = builder.options_mut();
        options.timeout = REQUEST_TIMEOUT;
        options.attempts = ATTEMPTS;
        Ok(Self(builder.build()?))
    }

    /// The records about emails from `domain`, which is in its ASCII form.
    pub(crate) async fn sender_records(&self, domain: &str) -> Result<SenderRecords, LookupError> {
        let organization = registrable_domain(domain);
        let [own, inherited] = [domain, &organization].map(|domain| format!("_dmarc.{domain}"));
        let all = async {
            tokio::try_join!(
                self.texts(&organization),
                self.texts(domain),
                self.texts(&own),
                self.texts(&inherited)
            )
        };
        let (of_organization, spf, own, inherited) = match tokio::time::timeout(TIMEOUT, all).await {
            Ok(texts) => texts?,
            Err(_) => {
                return Err(LookupError::Unreachable(format!("no response within {} s", TIMEOUT.as_secs())));
            }
        };
        if of_organization.is_none() {
            return Err(LookupError::UnknownDomain(organization));
        }
        let [spf, own, inherited] = [spf, own, inherited].map(Option::unwrap_or_default);
        let own = Dmarc::of_domain(&own);
        let is_inherited = own == Dmarc::Missing && organization != domain;
        Ok(SenderRecords {
            spf: Spf::read(&spf),
            dmarc: if is_inherited { Dmarc::of_subdomain(&inherited) } else { own },
            inherited_from: is_inherited.then_some(organization),
        })
    }

    /// The TXT records of a name; `None` if it does not exist.
    async fn texts(&self, name: &str) -> Result<Option<Vec<String>>, LookupError> {
        // The final dot keeps the search domains of this machine out.
        match self.0.txt_lookup(format!("{name}.")).await {
            Ok(found) => {
                let text = |data: &RData| match data {
                    RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
                    _ => None,
                };
                Ok(Some(found.answers().iter().filter_map(|record| text(&record.data)).collect()))
            }
            Err(error) if error.is_nx_domain() => Ok(None),
            Err(error) if error.is_no_records_found() => Ok(Some(Vec::new())),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::DmarcPolicy;
    use super::*;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use std::net::SocketAddr;
    use tokio::net::UdpSocket;

    /// A name server that answers each request for a TXT record from a list of names and texts. A name that is not in the list
    /// does not exist.
    async fn name_server(records: &'static [(&str, &str)]) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut request = [0; 512];
            loop {
                let (length, client) = socket.recv_from(&mut request).await.unwrap();
                socket.send_to(&response(&request[..length], records), client).await.unwrap();
            }
        });
        address
    }

    /// RFC 1035, section 4.
    fn response(request: &[u8], records: &[(&str, &str)]) -> Vec<u8> {
        let (mut name, mut at) = (Vec::new(), 12);
        while request[at] != 0 {
            let label = &request[at + 1..=at + usize::from(request[at])];
            name.push(String::from_utf8_lossy(label).to_lowercase());
            at += 1 + label.len();
        }
        let question = &request[12..at + 5];
        let name = name.join(".");
        let texts: Vec<_> = records.iter().filter(|(of, _)| *of == name).map(|(_, text)| *text).collect();
        let code = if texts.is_empty() { 3 } else { 0 };
        let count = u8::try_from(texts.len()).unwrap();
        let mut response =
            [&request[..2], &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
        for text in texts {
            // A text of more than 255 bytes has several parts.
            let parts: Vec<u8> =
                text.as_bytes().chunks(100).flat_map(|part| [&[part.len() as u8], part].concat()).collect();
            response.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
            response.extend(u16::try_from(parts.len()).unwrap().to_be_bytes());
            response.extend(parts);
        }
        response
    }

    fn resolver(address: SocketAddr) -> Resolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_millis(100);
        builder.options_mut().attempts = 1;
        Resolver(builder.build().unwrap())
    }

    #[tokio::test]
    async fn the_records_of_the_domain_come_before_those_of_the_organization() {
        let resolver = resolver(
            name_server(&[
                ("clinic.example", "unrelated"),
                (
                    "clinic.example",
                    "v=spf1 include:mail.example ip4:192.0.2.1 ip4:192.0.2.2 ip4:192.0.2.3 ip4:192.0.2.4 \
                                    ip4:192.0.2.5 -all",
                ),
                ("_dmarc.clinic.example", "v=DMARC1; p=reject; sp=none"),
                ("notices.clinic.example", "v=spf1 +all"),
                ("bare.example", "unrelated"),
                ("_dmarc.own.clinic.example", "v=DMARC1; p=quarantine"),
            ])
            .await,
        );
        for (domain, spf, policy, inherited_from) in [
            ("clinic.example", Spf::Restricted, DmarcPolicy::Reject, None),
            ("notices.clinic.example", Spf::Anybody, DmarcPolicy::None, Some("clinic.example")),
            ("own.clinic.example", Spf::Missing, DmarcPolicy::Quarantine, None),
        ] {
            let records = resolver.sender_records(domain).await.unwrap();
            assert_eq!((records.spf, records.dmarc), (spf, Dmarc::Published(policy)), "{domain}");
            assert_eq!(records.inherited_from.as_deref(), inherited_from, "{domain}");
        }
        let records = resolver.sender_records("bare.example").await.unwrap();
        assert_eq!((records.spf, records.dmarc), (Spf::Missing, Dmarc::Missing));
    }

    #[tokio::test]
    async fn name_servers_that_do_not_know_the_domain_say_nothing_about_its_records() {
        let resolver = resolver(name_server(&[("clinic.example", "unrelated")]).await);
        let found = resolver.sender_records("notices.unknown.example").await.err();
        assert_eq!(found, Some(LookupError::UnknownDomain("unknown.example".to_owned())));
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_not_a_missing_record() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = resolver(silent.local_addr().unwrap());
        let found = resolver.sender_records("clinic.example").await.err();
        assert!(matches!(found, Some(LookupError::Unreachable(_))), "{found:?}");
    }
}
