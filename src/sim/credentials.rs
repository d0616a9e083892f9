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

/// What separates a member's id from the random part in a refresh token that is not their first.
const SERIAL: char = '~';

/// What a member is given to work with.
pub(super) struct Grant {
    pub(super) access_token: String,
    /// Seconds that the access token is good for.
    pub(super) expires_in: u32,
    /// The refresh token to use from now on, when it is a new one.
    pub(super) refresh_token: Option<String>,
}

/// Why no access token is to be had for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    Unknown,
    Revoked,
}

impl World {
    /// From now on every credential of the member's is refused: the refresh token, ID tokens, and access
    /// tokens that were issued already.
    pub fn revoke(&self, member: &str) -> Result<(), NoSuchMember> {
        let no = self.find(member)?;
        self.state().members.entry(no).or_default().revoked = true;
        Ok(())
    }

    /// The member's credentials are good again. Their refresh token is the one they had.
    pub fn restore(&self, member: &str) -> Result<(), NoSuchMember> {
        let no = self.find(member)?;
        self.state().members.entry(no).or_default().revoked = false;
        Ok(())
    }

    /// The member's refresh token as it is now.
    pub fn refresh_token(&self, member: &str) -> Result<String, NoSuchMember> {
        let no = self.find(member)?;
        let rotated = self.state().members.get(&no).and_then(|member| member.refresh_token.clone());
        Ok(rotated.unwrap_or_else(|| first_refresh_token(member)))
    }

    /// Whose refresh token this is or once was.
    pub(super) fn owner_of_refresh_token(token: &str) -> Option<&str> {
        let rest = token.strip_prefix("rt-")?;
        Some(rest.split_once(SERIAL).map_or(rest, |(member, _)| member))
    }

    /// Trades a refresh token in. With rotation on, it is spent by that.
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

    /// What the token endpoint and the broker say of a token's lifetime.
    pub(super) fn told_lifetime(&self, grant: &Grant) -> Value {
        self.state().settings.expires_in.clone().unwrap_or_else(|| grant.expires_in.into())
    }

    /// The member whom an access token names, if it is good.
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
