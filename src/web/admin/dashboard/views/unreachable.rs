//! Whom can we not reach?

use super::super::address::{given, query};
use super::super::answer::Answer;
use super::super::error::PageError;
use super::super::fault;
use super::super::format::{count, number};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::Visit;
use super::names::SourceNames;
use crate::domain::{AuditAction, AuditEntry, ConnectionId, MemberId, Time};
use crate::store::{Result as StoreResult, Store, StoreError, UnreachableFilter, UnreachableLapse};
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use futures_util::stream;
use minijinja::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

const PATH: &str = VIEWS[6].0;
const PAGE: u32 = 50;
/// Rows of the export that are read at a time.
const EXPORT_PAGE: u32 = 1_000;
const HEADINGS: &str = "member_id,connection_id,source,status,lapsed_at,reason,unreachable_since\r\n";

#[derive(Clone, Debug, Default, Deserialize)]
pub(in super::super) struct Filter {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    source: String,
    /// The member and the connection of the last row of the page before.
    #[serde(default)]
    after: String,
    #[serde(default)]
    after_connection: String,
}

impl Filter {
    fn of_lapses(&self) -> UnreachableFilter {
        let source = given(&self.source).map(ConnectionId::from);
        UnreachableFilter { reason: given(&self.reason).map(str::to_owned), source }
    }

    fn query(&self, after: Option<(&str, &str)>) -> String {
        let (member, connection) = after.unwrap_or_default();
        query(&[
            ("reason", &self.reason),
            ("source", &self.source),
            ("after", member),
            ("after_connection", connection),
        ])
    }
}

/// What the code means, and who has to act.
fn meaning(reason: &str) -> &'static str {
    match reason {
        "suppressed" => "the address must not receive email",
        "credential_rejected" => "the credential does not work, so no link can be made",
        "delivery_abandoned" => "the email was given up",
        "cadence_ended" => "the last reminder was sent",
        "not_repairable" => "only an app can repair it, and notices.app_url is empty",
        _ => "",
    }
}

fn answer(by_reason: &[(String, ConnectionId, u64)]) -> Answer {
    let total: u64 = by_reason.iter().map(|(.., count)| count).sum();
    if total == 0 {
        return Answer::good("Nobody.", "Each member with an open lapse has been told, or will be.");
    }
    let reasons = sums(by_reason.iter().map(|(reason, _, count)| (reason.as_str(), *count)));
    let parts: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{} because {}", number(*count), meaning(reason)))
        .collect();
    Answer::warning(
        &format!("{}.", count(total, "open lapse")),
        format!("No email to their members will come: {}.", parts.join("; ")),
    )
}

/// The largest first.
fn sums<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (key, count) in counts {
        *sums.entry(key).or_default() += count;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sums
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    Query(filter): Query<Filter>,
    visit: Visit,
) -> Result<Response, PageError> {
    let store = &state.admin.store;
    let by_reason = store.unreachable_lapses_by_reason().await?;
    let wanted = filter.of_lapses();
    let matching = store.count_unreachable_lapses(&wanted).await?;
    let after = (MemberId::from(filter.after.as_str()), ConnectionId::from(filter.after_connection.as_str()));
    let rows = store.unreachable_lapses(&wanted, Some((&after.0, &after.1)), PAGE).await?;
    let names = SourceNames::load(&state).await?;
    visit.record_read(&state, "dashboard: unreachable", rows.len()).await?;
    let next = rows.last().filter(|_| rows.len() == PAGE as usize);
    let next = next.map(|row| filter.query(Some((row.member_id.as_str(), row.connection_id.as_str()))));
    let shown: Vec<Value> = rows.iter().map(row).collect();
    let reasons: Vec<Value> = sums(by_reason.iter().map(|(reason, _, count)| (reason.as_str(), *count)))
        .into_iter()
        .map(|(code, count)| {
            shown! { code, count, meaning => meaning(code), fault => fault::words(code),
            is_chosen => code == filter.reason }
        })
        .collect();
    let sources: Vec<Value> = sums(by_reason.iter().map(|(_, source, count)| (source.as_str(), *count)))
        .into_iter()
        .map(|(id, count)| shown! { id, count, name => names.of(&ConnectionId::from(id)) })
        .collect();
    let content = shown! {
        answer => answer(&by_reason), rows => shown, matching, reasons, sources, reason => filter.reason,
        source => filter.source, query => filter.query(None), next,
    };
    Ok(page(&visit, "unreachable.html", PATH, VIEWS[6].2, content))
}

fn row(lapse: &UnreachableLapse) -> Value {
    shown! {
        member => lapse.member_id, connection => lapse.connection_id, name => lapse.name, status => lapse.status,
        opened_at => lapse.opened_at, reason => lapse.reason, since => lapse.since,
        fault => fault::words(&lapse.reason),
    }
}

/// All that match, for a call center. Ids, no addresses. Read page by page, while it is sent.
pub(in super::super) async fn export(
    State(state): State<Dashboard>,
    Query(filter): Query<Filter>,
    visit: Visit,
) -> Result<Response, PageError> {
    let (store, wanted) = (state.admin.store.clone(), filter.of_lapses());
    let rows = store.count_unreachable_lapses(&wanted).await?;
    let entry = AuditEntry::new(AuditAction::Read).target("dashboard: unreachable.csv").affected(rows);
    state.store_of(&visit.access).record_audit(entry, visit.now).await?;
    let pages = stream::try_unfold(Some(Place::default()), move |place| {
        let (store, wanted) = (store.clone(), wanted.clone());
        async move {
            let Some(place) = place else { return Ok::<_, StoreError>(None) };
            csv_page(&store, &wanted, place).await.map(Some)
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"unreachable.csv\""),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// Behind the last row that was sent; `None`: nothing was.
#[derive(Default)]
struct Place(Option<(MemberId, ConnectionId)>);

/// The text, and where the next page begins.
async fn csv_page(
    store: &Store,
    wanted: &UnreachableFilter,
    Place(place): Place,
) -> StoreResult<(String, Option<Place>)> {
    let after = place.as_ref().map(|(member, connection)| (member, connection));
    let rows = store.unreachable_lapses(wanted, after, EXPORT_PAGE).await?;
    let mut text = if place.is_none() { HEADINGS.to_owned() } else { String::new() };
    text.extend(rows.iter().map(csv_line));
    let last = rows.last().filter(|_| rows.len() == EXPORT_PAGE as usize);
    Ok((text, last.map(|row| Place(Some((row.member_id.clone(), row.connection_id.clone()))))))
}

fn csv_line(lapse: &UnreachableLapse) -> String {
    let time = |time: Time| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let cells = [
        quoted(lapse.member_id.as_str()),
        quoted(&harmless(lapse.connection_id.as_str())),
        quoted(&harmless(&lapse.name)),
        quoted(&harmless(lapse.status.as_deref().unwrap_or_default())),
        time(lapse.opened_at),
        quoted(&lapse.reason),
        time(lapse.since),
    ];
    cells.join(",") + "\r\n"
}

/// RFC 4180.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Text of the gateway, so that no spreadsheet takes it for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_says_how_many_nobody_tells_and_why() {
        assert_eq!(
            answer(&[]).sentence(),
            "ok: Nobody. Each member with an open lapse has been told, or will be."
        );
        let lapses =
            |reason: &str, source: &str, count| (reason.to_owned(), ConnectionId::from(source), count);
        let all = [
            lapses("cadence_ended", "epic", 2),
            lapses("suppressed", "cigna", 2),
            lapses("suppressed", "epic", 1200),
        ];
        assert_eq!(
            answer(&all).sentence(),
            "warn: 1,204 open lapses. No email to their members will come: 1,202 because the address must not receive email; \
             2 because the last reminder was sent."
        );
    }

    #[test]
    fn a_line_of_the_export_has_ids_and_nothing_that_a_spreadsheet_computes() {
        let lapse = UnreachableLapse {
            member_id: "m\"1".into(),
            connection_id: "epic".into(),
            name: "=HYPERLINK(1)".into(),
            status: Some("EXPIRED".into()),
            opened_at: Time::UNIX_EPOCH,
            reason: "suppressed".into(),
            since: Time::UNIX_EPOCH,
        };
        assert_eq!(
            csv_line(&lapse),
            "\"m\"\"1\",\"epic\",\"'=HYPERLINK(1)\",\"EXPIRED\",1970-01-01T00:00:00Z,\"suppressed\",1970-01-01T00:00:00Z\r\n"
        );
    }
}
