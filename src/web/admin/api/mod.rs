//! `/api/v1/…`: one file for each family of resources. The document of the API is made from the same routes.

mod audit;
mod caller;
mod connections;
mod document;
mod events;
mod extract;
mod failure;
mod holds;
mod lapses;
mod member_import;
mod member_writes;
mod members;
mod notices;
mod page;
mod parameters;
mod sources;
mod status;
mod suppressions;
mod transitions;
mod uploads;
mod why;

use super::state::AdminState;
use crate::web::problem::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use std::sync::LazyLock;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Of a body in JSON, in bytes. A refresh token that is a JWT takes a few thousand.
const MAX_BODY: usize = 64 * 1024;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document: OpenApi = routes().split_for_parts().1;
    document::complete(&mut document);
    // It has only texts as keys, so it has a JSON form.
    serde_json::to_string(&document).unwrap_or_default()
});

pub(super) fn router() -> Router<AdminState> {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such resource"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the resource does not have this method")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

fn routes() -> OpenApiRouter<AdminState> {
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(show_document))
        .routes(routes!(status::show))
        .routes(routes!(sources::list))
        .routes(routes!(members::list))
        .routes(routes!(members::show, member_writes::put, member_writes::remove))
        .routes(routes!(member_import::import))
        .routes(routes!(member_writes::pause))
        .routes(routes!(member_writes::resume))
        .routes(routes!(why::list))
        .routes(routes!(connections::list))
        .routes(routes!(transitions::list))
        .routes(routes!(lapses::list))
        .routes(routes!(notices::list))
        .routes(routes!(notices::show))
        .routes(routes!(notices::retry))
        .routes(routes!(holds::list, holds::add))
        .routes(routes!(holds::release))
        .routes(routes!(suppressions::list, suppressions::add, suppressions::remove))
        .routes(routes!(events::list))
        .routes(routes!(events::retry))
        .routes(routes!(audit::list))
}

/// Show this document
#[utoipa::path(get, operation_id = "show_document", path = "/openapi.json", tag = "fleet",
    responses((status = 200, description = "an OpenAPI document", body = Object)))]
async fn show_document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}
