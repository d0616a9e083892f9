//! When the next email to a member comes, or why none will.

use super::sentences::{email, instant, meaning};
use crate::domain::{
    ConnectionId, LapseInput, LapseState, LastNotice, MemberId, NoticeKind, NoticeReason, NoticeState,
    PlanningInput, Time,
};
use crate::notify::plan::{Forecast, Policy, forecast};
use crate::store::{Result, Store, UnsentNotice};

/// The end of a sentence. Only about one connection, if one is given.
pub(super) async fn next_email(
    store: &Store,
    policy: &Policy,
    member: &MemberId,
    connection: Option<&ConnectionId>,
    now: Time,
) -> Result<String> {
    let Some(mut facts) = store.planning_facts(member).await? else {
        return Ok("no email: the member was removed".to_owned());
    };
    let is_meant = |of: &ConnectionId| connection.is_none_or(|connection| connection.folded() == of.folded());
    let mut unsent = store.unsent_notices(member).await?;
    unsent.retain(|notice| notice.connection_id.as_ref().is_none_or(is_meant));
    let (under_way, planned): (Vec<_>, Vec<_>) = unsent.into_iter().partition(|notice| !notice.is_plan);
    let mut open = std::mem::take(&mut facts.open);
    open.retain(|lapse| is_meant(&lapse.connection_id));
    let delivering =
        |lapse: &LapseInput| under_way.iter().any(|notice| notice.lapse_id.as_ref() == Some(&lapse.lapse_id));
    let mut candidates: Vec<Candidate> = under_way.iter().map(|notice| in_delivery(notice, now)).collect();
    for mut lapse in open.into_iter().filter(|lapse| !delivering(lapse)) {
        lapse.is_held = planned.iter().any(|notice| {
            notice.state == NoticeState::Held && notice.lapse_id.as_ref() == Some(&lapse.lapse_id)
        });
        candidates.push(of_lapse(&facts, &lapse, policy, now));
    }
    if let Some(first) = candidates.into_iter().min_by_key(Candidate::rank) {
        return Ok(first.text());
    }
    // The facts leave out what waits for a sweep.
    if store.has_lapse_in_state(member, connection, LapseState::Open).await? {
        return Ok("no email before the sweep under way has ended".to_owned());
    }
    let is_suspected = store.has_lapse_in_state(member, connection, LapseState::Suspected).await?;
    Ok(if is_suspected {
        "no email unless the break is confirmed".to_owned()
    } else {
        "no email: no connection needs the member".to_owned()
    })
}

/// What can be the next email.
enum Candidate {
    At { time: Time, text: String },
    Held { text: String },
    Nothing { reason: NoticeReason },
}

impl Candidate {
    /// The lowest is the most telling.
    fn rank(&self) -> (u8, Option<Time>) {
        match self {
            Self::At { time, .. } => (0, Some(*time)),
            Self::Held { .. } => (1, None),
            Self::Nothing { .. } => (2, None),
        }
    }

    fn text(self) -> String {
        match self {
            Self::At { text, .. } | Self::Held { text } => text,
            Self::Nothing { reason } => format!("no email: {}", meaning(reason)),
        }
    }
}

fn in_delivery(notice: &UnsentNotice, now: Time) -> Candidate {
    let UnsentNotice { kind, step, is_resend, connection_id, not_before, reason, .. } = notice;
    let about = connection_id.as_ref().map_or(String::new(), |of| format!(" about {of}"));
    let email = format!("{}{about}", email(*kind, *step, *is_resend));
    match notice.state {
        NoticeState::Sending => Candidate::At { time: now, text: format!("{email} is being sent") },
        NoticeState::Held => {
            Candidate::Held { text: format!("{email} when the hold ends: {}", meaning(*reason)) }
        }
        _ => Candidate::At {
            time: *not_before,
            text: format!("{email}, not before {} ({})", instant(*not_before), reason.as_str()),
        },
    }
}

fn of_lapse(facts: &PlanningInput, lapse: &LapseInput, policy: &Policy, now: Time) -> Candidate {
    let step = match lapse.last_notice {
        LastNotice::Sent { step, .. } => step.saturating_add(1),
        LastNotice::None | LastNotice::Pending | LastNotice::Abandoned => 0,
    };
    let email = format!("{} about {}", email(NoticeKind::Reconnect, step, false), lapse.connection_id);
    match forecast(facts, lapse, policy, now) {
        Forecast::Sends(time) => {
            Candidate::At { time, text: format!("{email}, not before {}", instant(time)) }
        }
        Forecast::Held(reason) => {
            Candidate::Held { text: format!("{email} when the hold ends: {}", meaning(reason)) }
        }
        Forecast::Nothing(reason) => Candidate::Nothing { reason },
    }
}
