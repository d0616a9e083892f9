//! What an import says about a member.

use super::{EmailAddress, Member, MemberId};
use chrono_tz::Tz;

/// A change of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<T> {
    Keep,
    /// Sets the default.
    Clear,
    Set(T),
}

/// Enrolls a member or changes the values of an enrolled one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEdit {
    pub id: MemberId,
    /// `None` keeps the address. A new member needs one.
    pub email: Option<EmailAddress>,
    pub locale: Edit<String>,
    pub time_zone: Edit<Tz>,
    pub subject: Edit<String>,
    pub label: Edit<String>,
}

impl<T> Edit<T> {
    /// For an optional value: without one, the default is set.
    pub fn replace(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }

    /// `None` keeps the value, and an empty text clears it.
    pub(crate) fn encode(&self, text: impl FnOnce(&T) -> String) -> Option<String> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(String::new()),
            Self::Set(value) => Some(text(value)),
        }
    }
}

/// Sets every value.
impl From<Member> for MemberEdit {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            email: Some(member.email),
            locale: Edit::replace(member.locale),
            time_zone: Edit::replace(member.time_zone),
            subject: Edit::Set(member.subject),
            label: Edit::replace(member.label),
        }
    }
}
