//! Data sources.

use super::caller::Caller;
use super::extract::ApiQuery;
use super::page::{Page, list_query};
use crate::rows::SourceRow;
use crate::store::SourceStats;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

list_query!(SourcesQuery {});

/// List data sources
///
/// How many connections of each broke and recovered in 30 days, in the order of the ids. In a large fleet, the numbers can
/// be some minutes old.
#[utoipa::path(get, operation_id = "list_sources", path = "/sources", tag = "fleet", params(SourcesQuery),
    responses((status = 200, description = "a page", body = Page<SourceRow<'static>>)))]
pub(super) async fn list(
    caller: Caller,
    ApiQuery(query): ApiQuery<SourcesQuery>,
) -> Result<Response, Problem> {
    let request = query.page::<String>()?;
    let all = caller.fleet.sources().await?;
    let is_next = |stats: &&SourceStats| match &request.after {
        None => true,
        Some(after) => stats.source.as_str() > after.as_str(),
    };
    let mut sources: Vec<&SourceStats> = all.iter().filter(is_next).collect();
    sources.sort_unstable_by(|one, other| one.source.as_str().cmp(other.source.as_str()));
    let page =
        request.page(&sources, |stats| stats.source.as_str().to_owned(), |stats| SourceRow::from(*stats));
    Ok(page.into_response())
}
