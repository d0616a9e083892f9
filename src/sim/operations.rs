//! The operations of the simulated gateway.

use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// The gateway's root fields, and the two other ways to get a token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
        }

        impl Operation {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

operations! {
    GetMemberConnections = "getMemberConnections",
    GetOauthUrl = "getOauthUrl",
    GetDataSource = "getDataSource",
    CreateConnection = "createConnection",
    DisconnectConnection = "disconnectConnection",
    DeleteConnection = "deleteConnection",
    ActivateDirectConnection = "activateDirectConnection",
    /// Exchanges a refresh token for an access token.
    Refresh = "refresh",
    /// The configuration of b.well's own clients.
    InitSdk = "initSdk",
    /// Exchanges an app's token for an access token.
    GetToken = "getToken",
    /// Exchanges an email address and a password for an access token.
    Login = "login",
    /// Sync errors by source.
    SubscriptionSubscription = "subscription_subscription",
    /// The list, as FHIR resources.
    Subscriptions = "subscriptions",
    /// RFC 8693.
    TokenExchange = "tokenExchange",
    /// The operator's own token endpoint.
    Broker = "broker",
}

impl Operation {
    /// Whether the operation needs a member's bearer token.
    pub(super) fn needs_token(self) -> bool {
        !matches!(
            self,
            Self::Refresh | Self::InitSdk | Self::GetToken | Self::Login | Self::TokenExchange | Self::Broker
        )
    }
}
