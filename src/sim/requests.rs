//! What was asked of the simulator, so that a test can say what a client did.

use super::world::MemberNo;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What can be asked: the gateway's root fields, and the two other ways to a token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
        }

        impl Operation {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The operation of that name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

operations! {
    /// The list.
    GetMemberConnections = "getMemberConnections",
    /// The reconnect URL.
    GetOauthUrl = "getOauthUrl",
    /// A look at a data source.
    GetDataSource = "getDataSource",
    /// A new connection.
    CreateConnection = "createConnection",
    /// Cutting one.
    DisconnectConnection = "disconnectConnection",
    /// Removing one.
    DeleteConnection = "deleteConnection",
    /// Restoring a direct one.
    ActivateDirectConnection = "activateDirectConnection",
    /// A refresh token for an access token.
    Refresh = "refresh",
    /// Configuration of b.well's own clients.
    InitSdk = "initSdk",
    /// An app's token for the member for an access token.
    GetToken = "getToken",
    /// E-mail address and password for an access token.
    Login = "login",
    /// Sync errors by source.
    SubscriptionSubscription = "subscription_subscription",
    /// The list, as FHIR resources.
    Subscriptions = "subscriptions",
    /// RFC 8693.
    TokenExchange = "tokenExchange",
    /// The operator's own endpoint.
    Broker = "broker",
}

impl Operation {
    /// Whether it is carried out for the member whom the bearer token names.
    pub(super) fn needs_token(self) -> bool {
        !matches!(
            self,
            Self::Refresh | Self::InitSdk | Self::GetToken | Self::Login | Self::TokenExchange | Self::Broker
        )
    }
}

type Counts = [u32; Operation::ALL.len()];

/// Counters by operation, in all and by member.
#[derive(Debug, Default)]
pub(super) struct Requests {
    all: Counts,
    by_member: HashMap<MemberNo, Counts>,
}

impl Requests {
    pub(super) fn count(&mut self, operations: &[Operation], member: Option<MemberNo>) {
        let mut own = member.map(|member| self.by_member.entry(member).or_default());
        for operation in operations {
            self.all[*operation as usize] += 1;
            if let Some(counts) = &mut own {
                counts[*operation as usize] += 1;
            }
        }
    }

    pub(super) fn of(&self, operation: Operation, member: Option<MemberNo>) -> u32 {
        let counts = match member {
            None => Some(&self.all),
            Some(member) => self.by_member.get(&member),
        };
        counts.map_or(0, |counts| counts[operation as usize])
    }
}
