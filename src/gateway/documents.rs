//! The GraphQL documents. Each declares only the variables that are sent with it, because older gateways know
//! fewer arguments and refuse a document that names an unknown one.

use super::http::Repeat;

/// One operation: what is sent, and when it may be sent again within one call.
pub(super) struct Operation {
    /// The operation's name, on the wire and in errors and logs.
    pub(super) name: &'static str,
    /// The document.
    pub(super) document: &'static str,
    /// Whether a second try is safe.
    pub(super) repeat: Repeat,
}

/// What is asked of a connection, wherever one is answered.
macro_rules! connection_fields {
    () => {
        "{ id name category type integrationType isDirect status syncStatus syncErrors { coding { code } } \
         lastSynced }"
    };
}

/// All connections of a member. Without a filter: a filtered list makes recovery and deletion look the same.
pub(super) const CONNECTIONS: Operation = Operation {
    name: "getMemberConnections",
    document: concat!("query getMemberConnections { getMemberConnections ", connection_fields!(), " }"),
    repeat: Repeat::Freely,
};

/// Where a member signs in again. Asking twice makes a second URL and harms nothing.
pub(super) const OAUTH_URL: Operation = Operation {
    name: "getOauthUrl",
    document: "query getOauthUrl($connectionId: String!) \
               { getOauthUrl(connectionId: $connectionId) { redirectUrl } }",
    repeat: Repeat::Freely,
};

/// What is known of a data source.
pub(super) const DATA_SOURCE: Operation = Operation {
    name: "getDataSource",
    document: "query getDataSource($connectionId: String!) \
               { getDataSource(connectionId: $connectionId) \
               { id name category type isDirect integrationType } }",
    repeat: Repeat::Freely,
};

/// A new connection without credentials.
pub(super) const CREATE_DIRECT: Operation = Operation {
    name: "createConnection",
    document: concat!(
        "mutation createConnection($connectionId: String!, $integrationType: String!) \
         { createConnection(connectionId: $connectionId, integrationType: $integrationType) ",
        connection_fields!(),
        " }"
    ),
    repeat: Repeat::IfUnsent,
};

/// A new connection with credentials.
pub(super) const CREATE_WITH_PASSWORD: Operation = Operation {
    name: "createConnection",
    document: concat!(
        "mutation createConnection($connectionId: String!, $username: String!, $password: String!) \
         { createConnection(connectionId: $connectionId, username: $username, password: $password) ",
        connection_fields!(),
        " }"
    ),
    repeat: Repeat::IfUnsent,
};

/// A new connection with credentials, of a given integration type.
pub(super) const CREATE_WITH_PASSWORD_AND_TYPE: Operation = Operation {
    name: "createConnection",
    document: concat!(
        "mutation createConnection($connectionId: String!, $username: String!, $password: String!, \
         $integrationType: String!) { createConnection(connectionId: $connectionId, username: $username, \
         password: $password, integrationType: $integrationType) ",
        connection_fields!(),
        " }"
    ),
    repeat: Repeat::IfUnsent,
};

/// Cuts a connection.
pub(super) const DISCONNECT: Operation = Operation {
    name: "disconnectConnection",
    document: "mutation disconnectConnection($connectionId: String!) \
               { disconnectConnection(connectionId: $connectionId) { status } }",
    repeat: Repeat::IfUnsent,
};

/// Removes a connection and its data.
pub(super) const DELETE: Operation = Operation {
    name: "deleteConnection",
    document: "mutation deleteConnection($connectionId: String!) \
               { deleteConnection(connectionId: $connectionId) { status } }",
    repeat: Repeat::IfUnsent,
};

/// Brings a disconnected direct connection back.
pub(super) const ACTIVATE_DIRECT: Operation = Operation {
    name: "activateDirectConnection",
    document: "mutation activateDirectConnection($connectionId: String!) \
               { activateDirectConnection(connectionId: $connectionId) { status } }",
    repeat: Repeat::IfUnsent,
};

/// New tokens for a refresh token, which is spent by it.
pub(super) const REFRESH: Operation = Operation {
    name: "refreshTokens",
    document: "query refreshTokens { refresh { accessToken refreshToken } }",
    repeat: Repeat::IfUnsent,
};

#[cfg(test)]
mod tests {
    use super::*;
    use apollo_compiler::{ExecutableDocument, Schema};

    const SCHEMA: &str = include_str!("schema.graphql");

    fn check(schema: &str, operation: &Operation) {
        let schema = Schema::parse_and_validate(schema, "schema.graphql").unwrap();
        let document =
            ExecutableDocument::parse_and_validate(&schema, operation.document, operation.name).unwrap();
        assert!(document.operations.get(Some(operation.name)).is_ok(), "{} names itself", operation.name);
    }

    #[test]
    fn every_document_is_valid_against_the_schema() {
        for operation in [
            &CONNECTIONS,
            &OAUTH_URL,
            &DATA_SOURCE,
            &CREATE_DIRECT,
            &CREATE_WITH_PASSWORD,
            &CREATE_WITH_PASSWORD_AND_TYPE,
            &DISCONNECT,
            &DELETE,
            &ACTIVATE_DIRECT,
            &REFRESH,
        ] {
            check(SCHEMA, operation);
        }
    }

    #[test]
    fn an_older_gateway_takes_the_document_that_sends_credentials_alone() {
        let older = SCHEMA.replace("    integrationType: String\n", "").replace(
            "    username: String\n    password: String\n",
            "    username: String!\n    password: String!\n",
        );
        assert_ne!(older, SCHEMA);
        check(&older, &CREATE_WITH_PASSWORD);
    }
}
