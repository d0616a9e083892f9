//! What DNS says about who may send as a domain: SPF (RFC 7208) and DMARC (RFC 7489). For `check`.

mod lookup;
mod policy;

pub(crate) use lookup::{Resolver, SenderRecords};
pub(crate) use policy::{Dmarc, DmarcPolicy, Spf};
