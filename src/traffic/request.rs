//! What a request shows about its client.

use crate::domain::{LinkAction, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkRequest {
    pub(crate) action: LinkAction,
    pub(crate) received_at: Time,
    pub(crate) signals: RequestSignals,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestSignals {
    /// The method is `HEAD`.
    pub(crate) is_head: bool,
    /// A header such as `Sec-Purpose: prefetch` marks the request as speculative.
    pub(crate) is_prefetch: bool,
}
