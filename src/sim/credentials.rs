//! Refresh tokens, access tokens, and the exchanges between them.

use super::{
    graphql_error::Refusal,
    ids::{MemberNo, NoSuchMember},
    settings::Settings,
    world::World,
};
use crate::base::random;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::Value;

/// Separates the member's id from the random part in every refresh token after the first.
const SERIAL: char = '~';

/// A member's tokens.
pub(super) struct Grant {
    pub(super) access_token: String,
    /// Lifetime of the access token, in seconds.
    pub(super) expires_in: u32,
    /// The new refresh token, if it was rotated.
    pub(super) refresh_token: Option<String>,
}

/// The reason why a member gets no access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    Unknown,
    Revoked,
}

impl World {
    /// Rejects every credential of the member from now on: the refresh token, ID tokens, and issued access tokens.
    pub fn revoke(&self, member: &str) -> Result<(), NoSuchMember> {
        let no = self.find(member)?;
        self.state().members.entry(no).or_default().revoked = true;
        Ok(())
    }

    /// Accepts the member's credentials again, with the same refresh token.
    pub fn restore(&self, member: &str) -> Result<(), NoSuchMember> {
        let no = self.find(member)?;
        self.state().members.entry(no).or_default().revoked = false;
        Ok(())
    }

    /// The member's current refresh token.
    pub fn refresh_token(&self, member: &str) -> Result<String, NoSuchMember> {
        let no = self.find(member)?;
        let rotated = self.state().members.get(&no).and_then(|member| member.refresh_token.clone());
        Ok(rotated.unwrap_or_else(|| first_refresh_token(member)))
    }

    /// The member of a current or former refresh token.
    pub(super) fn owner_of_refresh_token(token: &str) -> Option<&str> {
        let rest = token.strip_prefix("rt-")?;
        Some(rest.split_once(SERIAL).map_or(rest, |(member, _)| member))
    }

    /// Exchanges a refresh token. With rotation, the token is then consumed.
    pub(super) fn refresh(&self, token: &str) -> Result<Grant, Refusal> {
        const REFUSED: Refusal = Refusal::new("login", "The refresh token is spent or not known");
        let member = Self::owner_of_refresh_token(token).ok_or(REFUSED)?;
        let no = self.find(member).map_err(|NoSuchMember| REFUSED)?;
        let mut grant = self.grant(member).map_err(|_| REFUSED)?;
        let mut state = self.state();
        let Settings { rotate, rotation_grace, .. } = state.settings;
        let member_state = state.members.entry(no).or_default();
        let current = member_state.refresh_token.clone().unwrap_or_else(|| first_refresh_token(member));
        let within_grace = rotation_grace && member_state.spent_refresh_token.as_deref() == Some(token);
        if token != current && !within_grace {
            return Err(REFUSED);
        }
        if rotate {
            let serial = URL_SAFE_NO_PAD.encode(random::bytes::<16>());
            let new = format!("{}{SERIAL}{serial}", first_refresh_token(member));
            member_state.spent_refresh_token = Some(token.to_owned());
            member_state.refresh_token = Some(new.clone());
            grant.refresh_token = Some(new);
        }
        Ok(grant)
    }

    /// A fresh access token for the member.
    pub(super) fn grant(&self, member: &str) -> Result<Grant, Denied> {
        let no = self.find(member).map_err(|NoSuchMember| Denied::Unknown)?;
        if self.is_revoked(no) {
            return Err(Denied::Revoked);
        }
        let expires_in = self.state().settings.access_token_lifetime;
        let now = self.now();
        let access_token = self.0.issuer.issue(member, now, now + TimeDelta::seconds(i64::from(expires_in)));
        Ok(Grant { access_token, expires_in, refresh_token: None })
    }

    /// The lifetime that the token endpoint and the broker report.
    pub(super) fn told_lifetime(&self, grant: &Grant) -> Value {
        self.state().settings.expires_in.clone().unwrap_or_else(|| grant.expires_in.into())
    }

    /// The member of an access token, if it is valid.
    pub(super) fn verify(&self, access_token: &str) -> Option<String> {
        let member = self.0.issuer.verify(access_token, self.now())?;
        let no = self.find(&member).ok()?;
        (!self.is_revoked(no)).then_some(member)
    }

    fn is_revoked(&self, no: MemberNo) -> bool {
        self.state().members.get(&no).is_some_and(|member| member.revoked)
    }
}

pub(super) fn first_refresh_token(member: &str) -> String {
    format!("rt-{member}")
}
