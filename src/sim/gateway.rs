//! `POST /v1/graphql`: the gateway's one endpoint.

use super::{
    app::App,
    graphql_error::{self, Refusal},
    operations::Operation,
    response::{JsonResponse, respond},
    schema::Caller,
    wire::Cut,
    world::World,
};
use async_graphql::{
    Request,
    parser::types::{DocumentOperations, Selection},
};
use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::Response,
};

/// Responds to one GraphQL request, unless a fault prevents it.
pub(super) async fn graphql(
    State(app): State<App>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    const NOT_GRAPHQL: Refusal = Refusal::new("invalid", "The body is not a GraphQL request");
    let Ok(mut request) = serde_json::from_slice::<Request>(&body) else {
        return JsonResponse::new(StatusCode::BAD_REQUEST, &NOT_GRAPHQL.response()).into();
    };
    let operations = operations(&mut request);
    let (caller, bad_token) = read_headers(&app.world, &headers);
    let member = caller
        .member
        .as_deref()
        .or_else(|| caller.refresh_token.as_deref().and_then(World::owner_of_refresh_token))
        .or(caller.app_token.as_deref())
        .map(str::to_owned);
    let rejected = || match app.world.settings().login_issue {
        true => JsonResponse::new(StatusCode::OK, &Refusal::LOGIN.response()),
        false => JsonResponse::new(StatusCode::UNAUTHORIZED, &Refusal::LOGIN.response()),
    };
    respond(&app, &cut, &operations, member.as_deref(), &rejected, async {
        if bad_token && operations.iter().any(|operation| operation.needs_token()) {
            return rejected();
        }
        let mut response = app.schema.execute(request.data(caller)).await;
        graphql_error::complete(&mut response.errors);
        JsonResponse::new(StatusCode::OK, &response)
    })
    .await
}

/// The root fields of a request. An unreadable request has none, and the engine reports what is
/// wrong.
fn operations(request: &mut Request) -> Vec<Operation> {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else { return Vec::new() };
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(all) => match name {
            Some(name) => all.get(name.as_str()),
            None => all.values().next().filter(|_| all.len() == 1),
        },
    };
    let selections = operation.iter().flat_map(|operation| &operation.node.selection_set.node.items);
    let fields = selections.filter_map(|selection| match &selection.node {
        Selection::Field(field) => Operation::parse(field.node.name.node.as_str()),
        _ => None,
    });
    fields.collect()
}

/// The caller of a request, and whether its bearer token is invalid.
fn read_headers(world: &World, headers: &HeaderMap) -> (Caller, bool) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let authorization = text(AUTHORIZATION.as_str());
    let bearer = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let member = bearer.and_then(|token| world.verify(token.trim()));
    let bad_token = bearer.is_some() && member.is_none();
    let caller = Caller {
        member,
        app_token: authorization.filter(|_| bearer.is_none()).map(str::to_owned),
        refresh_token: text("refresh_token").map(str::to_owned),
        has_client_key: text("clientkey").is_some_and(|key| !key.is_empty()),
    };
    (caller, bad_token)
}
