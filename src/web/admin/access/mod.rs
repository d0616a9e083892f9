//! Access to the API and the dashboard: tokens, their scopes, and the hosts by which clients may reach them.

mod bearer;
mod host;
mod tokens;

pub(in crate::web::admin) use bearer::require_token;
pub(in crate::web::admin) use host::require_own_host;
pub(crate) use tokens::AccessTokens;
pub(in crate::web::admin) use tokens::{Access, NO_TOKENS};
