//! Members of the simulated world.

/// A member's number. The named members come first, then `m1` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MemberNo(pub(super) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such member in the simulated world")]
pub struct NoSuchMember;
