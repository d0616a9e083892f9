//! What failed? Abandoned notices, failed events, and credentials that do not work.

use super::super::address::{given, query};
use super::super::answer::Answer;
use super::super::error::PageError;
use super::super::fault;
use super::super::format::{count, number};
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::{Order, Visit};
use super::changes;
use super::confirm::{Confirmation, Field, ask};
use super::names::SourceNames;
use crate::domain::{ConnectionId, MemberId, NoticeId};
use crate::store::{AbandonedFilter, Store};
use axum::extract::{Query, State};
use axum::response::Response;
use minijinja::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

const PATH: &str = VIEWS[5].0;
const RETRY: &str = "/failed/retry";
const PAGE: u32 = 50;

/// What is listed. It is in the address, so that a view can be sent to a colleague.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in super::super) struct Filter {
    #[serde(default)]
    kind: String,
    /// The reason code of a notice, the type of an event, or the state of a credential.
    #[serde(default)]
    reason: String,
    /// Of a notice.
    #[serde(default)]
    source: String,
    /// The key of the last row of the page before.
    #[serde(default)]
    after: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Notices,
    Events,
    Credentials,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Notices, Self::Events, Self::Credentials];

    fn as_str(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Events => "events",
            Self::Credentials => "credentials",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Notices => "abandoned email",
            Self::Events => "failed event",
            Self::Credentials => "failed credential",
        }
    }
}

impl Filter {
    fn kind(&self) -> Kind {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == self.kind).unwrap_or(Kind::Notices)
    }

    /// `None`: any.
    fn reason(&self) -> Option<&str> {
        given(&self.reason)
    }

    fn of_notices(&self) -> AbandonedFilter {
        let source = given(&self.source).map(ConnectionId::from);
        AbandonedFilter { reason: self.reason().map(str::to_owned), source }
    }

    /// The query of an address.
    fn query(&self, after: Option<&str>) -> String {
        query(&[
            ("kind", self.kind().as_str()),
            ("reason", &self.reason),
            ("source", &self.source),
            ("after", after.unwrap_or_default()),
        ])
    }

    fn words(&self) -> String {
        let mut words = String::new();
        if let Some(reason) = self.reason() {
            words += &format!(" with {reason}");
        }
        if self.kind() == Kind::Notices && !self.source.is_empty() {
            words += &format!(" about {}", self.source);
        }
        words
    }

    async fn count(&self, store: &Store, failures: &Failures) -> Result<u64, PageError> {
        let of = |counts: &BTreeMap<String, u64>| match self.reason() {
            Some(reason) => counts.get(reason).copied().unwrap_or(0),
            None => counts.values().sum(),
        };
        Ok(match self.kind() {
            Kind::Notices => store.count_abandoned(&self.of_notices()).await?,
            Kind::Events => of(&failures.events),
            Kind::Credentials => of(&failures.credentials),
        })
    }
}

/// All failures, by reason code, by type, and by state.
#[derive(Default)]
struct Failures {
    notices: BTreeMap<String, u64>,
    events: BTreeMap<String, u64>,
    credentials: BTreeMap<String, u64>,
}

impl Failures {
    async fn load(store: &Store) -> Result<Self, PageError> {
        Ok(Self {
            notices: store.abandoned_by_reason().await?,
            events: store.count_failed_events().await?,
            credentials: store.count_failed_credentials().await?,
        })
    }

    fn of(&self, kind: Kind) -> &BTreeMap<String, u64> {
        match kind {
            Kind::Notices => &self.notices,
            Kind::Events => &self.events,
            Kind::Credentials => &self.credentials,
        }
    }

    fn total(&self, kind: Kind) -> u64 {
        self.of(kind).values().sum()
    }
}

fn answer(failures: &Failures) -> Answer {
    let parts: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| failures.total(*kind) > 0)
        .map(|kind| count(failures.total(kind), kind.noun()))
        .collect();
    let total: u64 = Kind::ALL.into_iter().map(|kind| failures.total(kind)).sum();
    if total == 0 {
        return Answer::good(
            "Nothing.",
            "No email about an open lapse was given up, no event failed, and every credential works.",
        );
    }
    Answer::bad(&format!("{}.", number(total)), format!("{}. All of them can be retried.", parts.join(", ")))
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    Query(filter): Query<Filter>,
    visit: Visit,
) -> Result<Response, PageError> {
    let store = &state.admin.store;
    let failures = Failures::load(store).await?;
    let matching = filter.count(store, &failures).await?;
    let names = SourceNames::load(&state).await?;
    let kind = filter.kind();
    let (rows, last) = match kind {
        Kind::Notices => notices(store, &filter, &names).await?,
        Kind::Events => events(store, &filter).await?,
        Kind::Credentials => credentials(store, &filter).await?,
    };
    visit.record_read(&state, "dashboard: failed", rows.len()).await?;
    let has_next = rows.len() == PAGE as usize;
    let tabs = Kind::ALL.map(|of| {
        shown! { kind => of.as_str(), total => failures.total(of), is_here => of == kind }
    });
    let reasons: Vec<Value> = failures
        .of(kind)
        .iter()
        .map(|(code, count)| {
            shown! { code, count, fault => fault::words(code), is_chosen => filter.reason == *code }
        })
        .collect();
    let content = shown! {
        answer => answer(&failures), kind => kind.as_str(), tabs, reasons, rows, matching, reason => filter.reason,
        source => filter.source, query => filter.query(None),
        next => last.filter(|_| has_next).map(|last| filter.query(Some(&last))),
        changes => changes::latest(store, None, visit.now).await?,
    };
    Ok(page(&visit, "failed.html", PATH, VIEWS[5].2, content))
}

/// The rows of a page, and the key of the last one.
type Rows = (Vec<Value>, Option<String>);

async fn notices(store: &Store, filter: &Filter, names: &SourceNames) -> Result<Rows, PageError> {
    let after = given(&filter.after).map(NoticeId::from);
    let listed = store.abandoned(&filter.of_notices(), after.as_ref(), PAGE).await?;
    let row = |of: &crate::store::AbandonedNotice| {
        let notice = &of.notice.notice;
        let sources: Vec<String> = of.sources.iter().map(|source| names.of(source)).collect();
        shown! {
            id => notice.id, member => notice.member_id, sources, reason => of.notice.reason,
            fault => fault::words(&of.notice.reason), attempts => notice.attempts,
            at => of.notice.planned_at, step => notice.step,
        }
    };
    let last = listed.last().map(|of| of.notice.notice.id.as_str().to_owned());
    Ok((listed.iter().map(row).collect(), last))
}

async fn events(store: &Store, filter: &Filter) -> Result<Rows, PageError> {
    let listed = store.failed_events(filter.reason(), filter.after.parse().unwrap_or(0), PAGE).await?;
    let row = |event: &crate::domain::ListedEvent| {
        let error = event.last_error.as_deref();
        shown! {
            id => event.id, member => event.member_id, kind => event.event_type, reason => error,
            fault => error.and_then(fault::words), attempts => event.attempts, at => event.created_at,
        }
    };
    let last = listed.last().map(|event| event.sequence.to_string());
    Ok((listed.iter().map(row).collect(), last))
}

async fn credentials(store: &Store, filter: &Filter) -> Result<Rows, PageError> {
    let after = given(&filter.after).map(MemberId::from);
    let listed = store.failed_credentials(filter.reason(), after.as_ref(), PAGE).await?;
    let row = |of: &crate::store::FailedCredential| {
        shown! {
            member => of.member_id, state => of.state, reason => of.reason, attempts => of.failures, at => of.since,
            retry_at => of.retry_at, fault => fault::words(&of.state),
        }
    };
    let last = listed.last().map(|of| of.member_id.as_str().to_owned());
    Ok((listed.iter().map(row).collect(), last))
}

pub(in super::super) async fn confirm(
    State(state): State<Dashboard>,
    Query(filter): Query<Filter>,
    visit: Visit,
) -> Result<Response, PageError> {
    let store = &state.admin.store;
    let matching = filter.count(store, &Failures::load(store).await?).await?;
    let kind = filter.kind();
    let what = match kind {
        Kind::Notices => {
            "Each email is queued for now, with its attempts counted from zero. It passes the gates again, and looks at its \
             connections again. If the mail server had rejected the address, the address is tried again."
        }
        Kind::Events => "Each event is posted to webhook.url again, in the order of its member.",
        Kind::Credentials => "The next sweep asks the gateway again with each of these credentials.",
    };
    let subject = format!("This concerns {}{}.", count(matching, kind.noun()), filter.words());
    ask(
        &visit,
        &Confirmation {
            title: "Retry what failed?",
            sentences: vec![subject, what.to_owned()],
            action: RETRY,
            fields: vec![
                Field { name: "kind", value: kind.as_str() },
                Field { name: "reason", value: &filter.reason },
                Field { name: "source", value: &filter.source },
            ],
            button: (matching > 0).then(|| format!("Retry {} that match", number(matching))),
            back: format!("{PATH}?{}", filter.query(None)),
            view: PATH,
        },
    )
}

pub(in super::super) async fn retry(
    State(state): State<Dashboard>,
    order: Order,
) -> Result<Response, PageError> {
    let field = |name| order.field(name).unwrap_or_default().to_owned();
    let filter = Filter {
        kind: field("kind"),
        reason: field("reason"),
        source: field("source"),
        after: String::new(),
    };
    let (store, now, kind) = (order.store(&state), state.now(), filter.kind());
    let retried = match kind {
        Kind::Notices => store.retry_abandoned(&filter.of_notices(), now).await?,
        Kind::Events => store.retry_failed_events_of(filter.reason(), now).await?.len() as u64,
        Kind::Credentials => store.retry_credentials(filter.reason(), now).await?,
    };
    let result = format!("Retried {}{}.", count(retried, kind.noun()), filter.words());
    Ok(order.done(&state, &format!("{PATH}?{}", filter.query(None)), &result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_counts_what_failed() {
        let counts = |count| BTreeMap::from([("a".to_owned(), count)]);
        let failures = |notices, events, credentials| Failures {
            notices: counts(notices),
            events: counts(events),
            credentials: counts(credentials),
        };
        for (failures, expected) in [
            (
                failures(0, 0, 0),
                "ok: Nothing. No email about an open lapse was given up, no event failed, and every credential works.",
            ),
            (
                failures(412, 0, 1),
                "bad: 413. 412 abandoned emails, 1 failed credential. All of them can be retried.",
            ),
            (failures(0, 1200, 0), "bad: 1,200. 1,200 failed events. All of them can be retried."),
        ] {
            assert_eq!(answer(&failures).sentence(), expected);
        }
    }

    #[test]
    fn a_filter_is_told_in_the_address_and_in_words() {
        let filter = Filter {
            kind: "notices".into(),
            reason: "render_failed".into(),
            source: "a&b".into(),
            after: String::new(),
        };
        assert_eq!(filter.query(None), "kind=notices&reason=render_failed&source=a%26b");
        assert_eq!(filter.words(), " with render_failed about a&b");
        let unknown = Filter { kind: "x".into(), ..Filter::default() };
        assert_eq!(
            (unknown.kind(), unknown.query(Some("n1"))),
            (Kind::Notices, "kind=notices&after=n1".into())
        );
    }
}
