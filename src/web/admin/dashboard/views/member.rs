//! What happened to this member?

use super::super::address::query;
use super::super::answer::Answer;
use super::super::error::PageError;
use super::super::fault::{self, Fault};
use super::super::format::count;
use super::super::render::{VIEWS, page};
use super::super::shown::shown;
use super::super::state::Dashboard;
use super::super::visit::{Order, Visit};
use super::changes;
use super::confirm::{Confirmation, Field, ask};
use super::sentences;
use crate::domain::{AuditAction, AuditEntry, MemberId};
use crate::explain::{Explained, Explanation};
use crate::store::{ListedMember, LiveLapse, PauseOutcome, StoredConnection};
use axum::extract::{Query, State};
use axum::response::Response;
use minijinja::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

const PATH: &str = VIEWS[7].0;
/// More than almost every member has.
const CONNECTIONS: u32 = 200;
const ENTRIES: u32 = 200;
const SUGGESTIONS: u32 = 10;

#[derive(Default, Deserialize)]
pub(in super::super) struct Search {
    #[serde(default)]
    id: String,
}

pub(in super::super) async fn view(
    State(state): State<Dashboard>,
    Query(search): Query<Search>,
    visit: Visit,
) -> Result<Response, PageError> {
    let id = search.id.trim();
    if id.is_empty() {
        let answer = Answer::good("Which one?", "Search by the id of a member, or by its beginning.");
        return Ok(show(&visit, shown! { answer, id, found => false, suggestions => Vec::<String>::new() }));
    }
    let member = MemberId::from(id);
    match state.admin.explainer.why(&member, None, ENTRIES).await? {
        Explanation::Found { decisions, is_cut } => {
            let entry = AuditEntry::new(AuditAction::Read).about(&member).target("dashboard: member");
            state.store_of(&visit.access).record_audit(entry, visit.now).await?;
            found(&state, &visit, &member, &decisions, is_cut).await
        }
        Explanation::NoSuchMember | Explanation::NoSuchConnection => {
            let suggestions = state.admin.store.members_starting_with(id, SUGGESTIONS).await?;
            // Not what was searched for: it may be an address.
            visit.record_read(&state, "dashboard: member ids", suggestions.len()).await?;
            let answer = Answer::warning("Unknown.", format!("Nobody has the id {id}."));
            Ok(show(&visit, shown! { answer, id, found => false, suggestions }))
        }
    }
}

fn show(visit: &Visit, content: Value) -> Response {
    page(visit, "member.html", PATH, VIEWS[7].2, content)
}

async fn found(
    state: &Dashboard,
    visit: &Visit,
    member: &MemberId,
    decisions: &[Explained],
    is_cut: bool,
) -> Result<Response, PageError> {
    let (store, now) = (&state.admin.store, visit.now);
    let rules = state.admin.fleet.credential_rules().await?;
    let listed = store.list_members(Some(member), None, 1, &rules, None).await?.pop();
    let connections = store.connections(Some(member), None, CONNECTIONS).await?;
    let lapses = store.live_lapses(member).await?;
    let by_connection: BTreeMap<&str, &LiveLapse> =
        lapses.iter().map(|live| (live.lapse.connection_id.as_str(), live)).collect();
    let row = |stored: &StoredConnection| {
        let connection = &stored.connection;
        let lapse = by_connection.get(connection.id.as_str()).copied();
        let said = sentences::state(connection, stored.is_missing, lapse, now);
        shown! {
            id => connection.id, sentence => said.sentence, fault => said.fault.map(Fault::as_str),
            status => connection.status.as_ref().map(|status| status.as_str().to_owned()),
            sync_status => connection.sync_status.as_ref().map(|status| status.as_str().to_owned()),
        }
    };
    let rows: Vec<Value> = connections.iter().map(row).collect();
    let next = match &listed {
        Some(_) => Some(state.admin.explainer.next_email(member, None).await?),
        None => None,
    };
    let history: Vec<Value> = decisions
        .iter()
        .rev()
        .map(|entry| {
            shown! {
                at => entry.at, last_at => entry.last_at, count => entry.count, connection => entry.connection_id,
                what => entry.what, reason => entry.reason, text => entry.text,
                fault => fault::words(&entry.reason),
            }
        })
        .collect();
    let open = lapses.iter().filter(|live| live.lapse.opened_at.is_some()).count() as u64;
    let facts = listed.as_ref().map(facts);
    let content = shown! {
        answer => answer(member, listed.as_ref(), connections.len() as u64, open), id => member, found => true,
        is_enrolled => listed.is_some(), is_paused => listed.as_ref().is_some_and(|listed| listed.member.paused), facts,
        connections => rows, next, history, is_cut, suggestions => Vec::<String>::new(),
        has_more_connections => connections.len() == CONNECTIONS as usize,
        changes => changes::latest(store, Some(member), now).await?,
    };
    Ok(show(visit, content))
}

fn answer(member: &MemberId, listed: Option<&ListedMember>, connections: u64, open: u64) -> Answer {
    let Some(listed) = listed else {
        return Answer::warning("Removed.", format!("{member} is no longer enrolled; the history is below."));
    };
    let all = count(connections, "connection");
    if listed.member.paused {
        return Answer::warning("Paused.", format!("{member} has {all} and is neither polled nor emailed."));
    }
    if let Some((reason, _)) = &listed.unreachable {
        return Answer::bad(
            "Out of reach.",
            format!("{} of {member} is open, and no email will come: {reason}.", count(open, "lapse")),
        );
    }
    match open {
        0 => Answer::good("All is well.", format!("{member} has {all}; none needs {member}.")),
        _ => {
            let lapses = count(open, "open lapse");
            Answer::warning("In need.", format!("{member} has {all} and {lapses}."))
        }
    }
}

/// Names no address.
fn facts(listed: &ListedMember) -> Value {
    shown! {
        credential => listed.credential.as_str(), credential_fault => fault::words(listed.credential.as_str()),
        trouble => listed.trouble.as_ref().map(|(reason, _)| reason.clone()),
        last_answer_at => listed.last_answer_at, unclear => listed.unclear_reason,
        unclear_fault => listed.unclear_reason.as_deref().and_then(fault::words),
        suppressed => listed.suppressed, unreachable => listed.unreachable.as_ref().map(|(reason, _)| reason.clone()),
        unreachable_fault =>
            listed.unreachable.as_ref().and_then(|(reason, _)| fault::words(reason)),
        locale => listed.member.locale, time_zone => listed.member.time_zone.map(|zone| zone.name()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Pause,
    Resume,
    Remove,
}

impl Change {
    fn parse(text: &str) -> Result<Self, PageError> {
        match text {
            "pause" => Ok(Self::Pause),
            "resume" => Ok(Self::Resume),
            "remove" => Ok(Self::Remove),
            _ => Err(PageError::BadRequest("There is no such change of a member.")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Remove => "remove",
        }
    }
}

#[derive(Deserialize)]
pub(in super::super) struct Chosen {
    id: String,
    change: String,
}

pub(in super::super) async fn confirm(
    State(state): State<Dashboard>,
    Query(chosen): Query<Chosen>,
    visit: Visit,
) -> Result<Response, PageError> {
    let (member, change) = (MemberId::from(chosen.id.as_str()), Change::parse(&chosen.change)?);
    if state.admin.store.member(&member).await?.is_none() {
        return Err(PageError::NoSuchMember(member));
    }
    let (title, sentence, button) = match change {
        Change::Pause => (
            "Pause this member?",
            format!(
                "{member} is neither polled nor emailed until you resume. What waits to be sent is cancelled, and planned again after the resume."
            ),
            format!("Pause {member}"),
        ),
        Change::Resume => (
            "Resume this member?",
            format!("The next sweep polls {member} again, and email about open lapses is planned again."),
            format!("Resume {member}"),
        ),
        Change::Remove => (
            "Remove this member?",
            format!(
                "The credential, the address, and all links of {member} are deleted, and open lapses are closed. The history stays; `reconnectd members remove --erase` deletes it, too. Only a new import brings the member back."
            ),
            format!("Remove {member}"),
        ),
    };
    ask(
        &visit,
        &Confirmation {
            title,
            sentences: vec![sentence],
            action: "/member/change",
            fields: vec![
                Field { name: "id", value: member.as_str() },
                Field { name: "change", value: change.as_str() },
            ],
            button: Some(button),
            back: path_of(&member),
            view: PATH,
        },
    )
}

fn path_of(member: &MemberId) -> String {
    format!("{PATH}?{}", query(&[("id", member.as_str())]))
}

pub(in super::super) async fn change(
    State(state): State<Dashboard>,
    order: Order,
) -> Result<Response, PageError> {
    let member = MemberId::from(order.field("id").unwrap_or_default());
    let change = Change::parse(order.field("change").unwrap_or_default())?;
    let (store, now) = (order.store(&state), state.now());
    let members = std::slice::from_ref(&member);
    let outcome = match change {
        Change::Pause => store.pause_members(members, now).await?,
        Change::Resume => store.resume_members(members, now).await?,
        Change::Remove if store.remove_member(&member, now).await? => PauseOutcome::Changed(members.to_vec()),
        Change::Remove => PauseOutcome::NotEnrolled(members.to_vec()),
    };
    let result = match (change, outcome) {
        (_, PauseOutcome::NotEnrolled(_)) => return Err(PageError::NoSuchMember(member)),
        (_, PauseOutcome::Changed(changed)) if changed.is_empty() => {
            format!("{member} was in that state already. Nothing was changed.")
        }
        (Change::Pause, _) => format!("Paused {member}."),
        (Change::Resume, _) => format!("Resumed {member}."),
        (Change::Remove, _) => format!("Removed {member}."),
    };
    Ok(order.done(&state, &path_of(&member), &result))
}
