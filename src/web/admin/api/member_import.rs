//! The import of many members, with the parser and the meaning of `members import`.

use super::caller::Caller;
use super::extract::{ApiQuery, unsupported};
use super::failure::{internal, unprocessable};
use super::parameters::flag;
use super::uploads::upload;
use crate::base::telemetry::traces;
use crate::import::{self, ImportError, MemberFile, Staged, StagingError, StagingObserver};
use crate::rows::{ImportErrorRow, ImportedRow};
use crate::web::problem::Problem;
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::io;
use utoipa::IntoParams;

const TYPES: &str = "text/csv, application/x-ndjson, or application/jsonl";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// `true`: succeed although the file names no members
    #[param(value_type = Option<bool>)]
    allow_empty: Option<String>,
    /// `true`: ignore columns and fields that reconnectd does not know
    #[param(value_type = Option<bool>)]
    ignore_unknown_columns: Option<String>,
}

/// Enroll or update many members
///
/// The body is a file for `members import`, of any size: CSV or JSON Lines. All of it is imported, or nothing.
#[utoipa::path(post, operation_id = "import_members", path = "/members/import", tag = "members", params(ImportQuery),
    request_body(content((String = "text/csv", example = json!("member_id,email\nalice,alice@example.com\n")),
        (String = "application/x-ndjson"), (String = "application/jsonl"))),
    responses((status = 200, description = "imported", body = ImportedRow<'static>),
        (status = 409, response = super::document::Conflict), (status = 415, response = super::document::WrongType),
        (status = 422, response = super::document::Invalid)))]
pub(super) async fn import(
    caller: Caller,
    ApiQuery(query): ApiQuery<ImportQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let extension = extension(&headers).ok_or_else(|| unsupported(TYPES))?;
    let allow_empty = flag("allow_empty", query.allow_empty.as_deref())?;
    let ignore_unknown = flag("ignore_unknown_columns", query.ignore_unknown_columns.as_deref())?;
    let _turn = caller.turn_to_import().await?;
    let (uploaded, reader) = upload();
    let receiving = async {
        uploaded.receive(body).await;
        std::future::pending().await
    };
    let importing = async {
        let result = read(&caller, reader, extension, ignore_unknown, allow_empty).await;
        match &result {
            Ok(_) => traces::record("outcome", "imported"),
            Err(problem) => traces::record_failure(problem.code()),
        }
        result
    };
    tokio::select! {
        result = traces::in_span("import", &[], importing) => result,
        never = receiving => never,
    }
}

async fn read(
    caller: &Caller,
    reader: impl io::Read + Send + 'static,
    extension: &'static str,
    ignore_unknown: bool,
    allow_empty: bool,
) -> Result<Response, Problem> {
    let open = move || MemberFile::read(Box::new(reader), Some(extension), ignore_unknown);
    let file = tokio::task::spawn_blocking(open).await;
    let file =
        file.map_err(|error| internal("import_failed", &error))?.map_err(|error| rejected(&[error]))?;
    // A long import must wait for other writers, and they for it.
    let store = caller.store.background();
    let mut import = store.import(caller.clock.now()).await?;
    let mut rejections = Rejections::default();
    let staged = import::stage(&mut import, file, caller.keyring.clone(), &mut rejections).await;
    let Some(Staged { rows, file }) = staged.map_err(failed)? else {
        import.discard().await?;
        return Err(rejected(&rejections.0));
    };
    if rows == 0 && !allow_empty {
        import.discard().await?;
        return Err(unprocessable(
            "the file names no members; nothing was imported; allow_empty=true permits that",
        ));
    }
    let counts = import.apply(caller.clock.now(), |_| {}).await?;
    traces::record_count("members", counts.members);
    Ok(Json(ImportedRow::new(counts, file.warnings())).into_response())
}

/// The first rejected lines.
#[derive(Default)]
struct Rejections(Vec<ImportError>);

impl StagingObserver for Rejections {
    fn rejected(&mut self, error: ImportError) -> io::Result<()> {
        self.0.push(error);
        Ok(())
    }
}

fn rejected(errors: &[ImportError]) -> Problem {
    let rows: Vec<_> = errors.iter().map(ImportErrorRow::from).collect();
    unprocessable("nothing was imported; correct the lines in `errors` and import the file again")
        .errors(&rows)
}

fn failed(error: StagingError) -> Problem {
    match error {
        StagingError::Store(error) => error.into(),
        error => internal("import_failed", &error),
    }
}

/// As if the body were a file.
fn extension(headers: &HeaderMap) -> Option<&'static str> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/csv" => Some("csv"),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some("jsonl")
        }
        _ => None,
    }
}
