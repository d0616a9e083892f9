//! The GraphQL operations. Each document declares only the variables that are sent with it, because older gateways have
//! fewer arguments and reject a document that names an unknown one.

use super::retry::RetryPolicy;

pub(super) struct Operation {
    /// The name on the wire, in errors, and in logs.
    pub(super) name: &'static str,
    pub(super) document: &'static str,
    pub(super) retry: RetryPolicy,
}

/// The fields of every connection in a response.
macro_rules! connection_fields {
    () => {
        "{ id name category type integrationType isDirect status syncStatus syncErrors { coding { code } } lastSynced }"
    };
}

/// Without a filter, because in a filtered list a recovered connection and a deleted one look the same.
pub(super) const CONNECTIONS: Operation = Operation {
    name: "getMemberConnections",
    document: concat!("query getMemberConnections { getMemberConnections ", connection_fields!(), " }"),
    retry: RetryPolicy::Idempotent,
};

/// A second request only creates a second URL.
pub(super) const OAUTH_URL: Operation = Operation {
    name: "getOauthUrl",
    document: "query getOauthUrl($connectionId: String!) \
               { getOauthUrl(connectionId: $connectionId) { redirectUrl } }",
    retry: RetryPolicy::Idempotent,
};

pub(super) const DATA_SOURCE: Operation = Operation {
    name: "getDataSource",
    document: "query getDataSource($connectionId: String!) \
               { getDataSource(connectionId: $connectionId) \
               { id name category type isDirect integrationType } }",
    retry: RetryPolicy::Idempotent,
};

pub(super) const CREATE_DIRECT: Operation = Operation {
    name: "createConnection",
    document: concat!(
        "mutation createConnection($connectionId: String!, $integrationType: String!) \
         { createConnection(connectionId: $connectionId, integrationType: $integrationType) ",
        connection_fields!(),
        " }"
    ),
    retry: RetryPolicy::OnlyIfUnsent,
};

pub(super) const CREATE_WITH_PASSWORD: Operation = Operation {
    name: "createConnection",
    document: concat!(
        "mutation createConnection($connectionId: String!, $username: String!, $password: String!) \
         { createConnection(connectionId: $connectionId, username: $username, password: $password) ",
        connection_fields!(),
        " }"
    ),
    retry: RetryPolicy::OnlyIfUnsent,
};

pub(super) const CREATE_WITH_PASSWORD_AND_TYPE: Operation = Operation {
    name: "createConnection",
    document: concat!(
        "mutation createConnection($connectionId: String!, $username: String!, $password: String!, \
         $integrationType: String!) { createConnection(connectionId: $connectionId, username: $username, \
         password: $password, integrationType: $integrationType) ",
        connection_fields!(),
        " }"
    ),
    retry: RetryPolicy::OnlyIfUnsent,
};

pub(super) const DISCONNECT: Operation = Operation {
    name: "disconnectConnection",
    document: "mutation disconnectConnection($connectionId: String!) \
               { disconnectConnection(connectionId: $connectionId) { status } }",
    retry: RetryPolicy::OnlyIfUnsent,
};

pub(super) const DELETE: Operation = Operation {
    name: "deleteConnection",
    document: "mutation deleteConnection($connectionId: String!) \
               { deleteConnection(connectionId: $connectionId) { status } }",
    retry: RetryPolicy::OnlyIfUnsent,
};

pub(super) const ACTIVATE_DIRECT: Operation = Operation {
    name: "activateDirectConnection",
    document: "mutation activateDirectConnection($connectionId: String!) \
               { activateDirectConnection(connectionId: $connectionId) { status } }",
    retry: RetryPolicy::OnlyIfUnsent,
};

/// The gateway may consume the refresh token, so a second request could lock the member out.
pub(super) const REFRESH: Operation = Operation {
    name: "refreshTokens",
    document: "query refreshTokens { refresh { accessToken refreshToken } }",
    retry: RetryPolicy::OnlyIfUnsent,
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
    fn an_older_gateway_accepts_the_document_without_an_integration_type() {
        let older = SCHEMA.replace("    integrationType: String\n", "").replace(
            "    username: String\n    password: String\n",
            "    username: String!\n    password: String!\n",
        );
        assert_ne!(older, SCHEMA);
        check(&older, &CREATE_WITH_PASSWORD);
    }
}
