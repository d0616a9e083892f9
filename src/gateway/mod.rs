//! The only room that speaks to the b.well gateway. Operations go in; domain values or an error with a verdict come
//! out.
//!
//! A response is used as a whole or not at all. A response that has errors, has no data, is truncated, too large, or
//! unreadable is an error. It is never taken for an empty list.
//!
//! # Time
//! One request takes at most `gateway.timeout`, including its body, plus the wait for a free slot and for the rate
//! limit (`slots.rs`). Within one call a read is sent at most three times, after pauses of at most 10 s each. So a call ends within
//! three timeouts and 20 s of its first slot. A request that timed out is not retried.

mod client;
mod clients;
mod error;
mod exchange;
mod fault;
#[cfg(test)]
mod fuzz_tests;
mod graphql;
mod headers;
mod http;
mod json;
mod jwt;
mod member_calls;
mod message;
mod oauth_url;
mod operations;
mod refresh;
mod request;
mod response;
mod retry;
mod signing;
mod skew;
mod slots;
#[cfg(test)]
mod tests;
mod throttle;
mod token_endpoint;
mod token_response;
mod wire;

pub use client::Gateway;
pub use error::{GatewayError, SetupError, Verdict};
pub use graphql::read_listing;
pub use member_calls::Establish;
pub(crate) use message::{GatewayMessage, InvalidMessage, SIGNATURE_HEADER, is_signed};
pub(crate) use signing::jwks;
pub(crate) use token_response::TokenResponse;
