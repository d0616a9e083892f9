/// The order in which waiting units get their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Urgency {
    /// A token that exists nowhere else.
    Renewal,
    /// A person waits.
    Interactive,
    Background,
}

/// Whether a unit waits until it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Flush {
    Wait,
    /// It becomes durable with a later unit. A crash can lose it.
    Later,
}
