//! What is true outside of the daemon, whatever it knows: the gateway, the mail server, and their troubles. A restored
//! database changes nothing of it.

use super::events::{GatewayTrouble, MailTrouble};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// By member and source. `None`: the gateway leaves the row out.
    pub(crate) rows: BTreeMap<(String, String), Option<String>>,
    pub(crate) gateway: BTreeMap<usize, (Option<String>, GatewayTrouble)>,
    pub(crate) mail: BTreeMap<usize, MailTrouble>,
    pub(crate) is_receiver_down: bool,
    /// Addresses that the mail server rejects.
    pub(crate) refused: BTreeSet<String>,
    pub(crate) without_credential: BTreeSet<String>,
    /// The refresh token that the gateway accepts, by member.
    pub(crate) tokens: BTreeMap<String, String>,
    /// Whose next refresh gets no response.
    pub(crate) refreshes_to_lose: BTreeSet<String>,
    /// Emails whose acceptance the mail server will not confirm.
    pub(crate) losses_to_come: usize,
}

impl Truth {
    /// The status that a response shows now; `None`: there is no such row.
    pub(crate) fn row(&self, member: &str, source: &str) -> Option<&str> {
        self.rows.get(&(member.to_owned(), source.to_owned()))?.as_deref()
    }

    pub(crate) fn rows_of(&self, member: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
        let from = (member.to_owned(), String::new());
        let of_member = self.rows.range(from..).take_while(move |((id, _), _)| id == member);
        of_member.map(|((_, source), row)| (source.as_str(), row.as_deref()))
    }

    /// Whether a poll of the member gives a usable response.
    pub(crate) fn is_clear(&self, member: &str) -> bool {
        !self.without_credential.contains(member)
            && self.troubles(member).all(|trouble| trouble == GatewayTrouble::NoSignIn)
    }

    /// Whether the member can get to a sign-in.
    pub(crate) fn has_sign_in(&self, member: &str) -> bool {
        !self.without_credential.contains(member)
            && self.troubles(member).all(|trouble| trouble != GatewayTrouble::NoSignIn)
    }

    fn troubles(&self, member: &str) -> impl Iterator<Item = GatewayTrouble> {
        let is_of = move |of: &Option<String>| of.as_deref().is_none_or(|of| of == member);
        self.gateway.values().filter(move |(of, _)| is_of(of)).map(|(_, trouble)| *trouble)
    }

    pub(crate) fn accepts_email(&self, address: &str) -> bool {
        self.mail.is_empty() && !self.refused.contains(address)
    }
}
