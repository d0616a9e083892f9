//! Paths that several files need.

/// The GraphQL endpoint.
pub(super) const GRAPHQL: &str = "/v1/graphql";
