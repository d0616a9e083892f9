use super::holds::HoldRow;
use super::time::{optional_time, time};
use crate::domain::Time;
use crate::store::{Funnel, InstanceRecord, Stats, SweepRecord};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct StatusRow<'a> {
    pub(crate) members: u64,
    pub(crate) paused: u64,
    pub(crate) suppressed: u64,
    pub(crate) unreachable: u64,
    /// By reason code.
    pub(crate) unreachable_reasons: BTreeMap<String, u64>,
    /// By reason code.
    pub(crate) unclear: BTreeMap<String, u64>,
    /// The latest usable response of any member.
    #[schema(format = DateTime)]
    pub(crate) last_answer_at: Option<String>,
    pub(crate) credentials: BTreeMap<String, u64>,
    pub(crate) connections: BTreeMap<String, u64>,
    pub(crate) person_mismatches: u64,
    pub(crate) lapses_open: u64,
    pub(crate) notices: BTreeMap<String, u64>,
    /// The age of the oldest notice that was due and is not sent.
    pub(crate) queue_age_seconds: u64,
    pub(crate) events: BTreeMap<String, u64>,
    /// Those that have not ended.
    pub(crate) holds: u64,
    pub(crate) active_holds: Vec<HoldRow<'a>>,
    pub(crate) funnel: FunnelRow,
    pub(crate) last_sweep: Option<SweepRow>,
    pub(crate) instances: Vec<InstanceRow>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceRow {
    pub(crate) instance_id: String,
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    #[schema(format = DateTime)]
    pub(crate) seen_at: String,
    pub(crate) version: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FunnelRow {
    pub(crate) lapsed: u64,
    pub(crate) noticed: u64,
    pub(crate) opened: u64,
    pub(crate) redeemed: u64,
    pub(crate) recovered: u64,
    /// Of these, the lapses without an email.
    pub(crate) recovered_unnoticed: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SweepRow {
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    #[schema(format = DateTime)]
    pub(crate) finished_at: Option<String>,
    pub(crate) members: u64,
    pub(crate) unclear: u64,
    pub(crate) skipped: u64,
    pub(crate) transitions: u64,
    pub(crate) complete: bool,
    pub(crate) ended_early_because: Option<String>,
}

impl<'a> StatusRow<'a> {
    pub(crate) fn new(
        fleet: &Stats,
        funnel: &Funnel,
        active_holds: Vec<HoldRow<'a>>,
        instances: Vec<InstanceRecord>,
        events: BTreeMap<String, u64>,
        now: Time,
    ) -> Self {
        Self {
            members: fleet.members,
            paused: fleet.paused,
            suppressed: fleet.suppressed,
            unreachable: fleet.unreachable.values().sum(),
            unreachable_reasons: fleet.unreachable.clone(),
            unclear: fleet.unclear.clone(),
            last_answer_at: optional_time(fleet.last_answer_at),
            credentials: fleet.credentials_by_state(),
            connections: fleet.connections.clone(),
            person_mismatches: fleet.person_mismatches,
            lapses_open: fleet.lapses_open,
            notices: fleet.notices.clone(),
            queue_age_seconds: fleet.queue_age(now).num_seconds().unsigned_abs(),
            events,
            holds: active_holds.len() as u64,
            active_holds,
            funnel: FunnelRow::from(funnel),
            last_sweep: fleet.last_sweep.as_ref().map(SweepRow::from),
            instances: instances.iter().map(InstanceRow::from).collect(),
        }
    }
}

impl From<&InstanceRecord> for InstanceRow {
    fn from(instance: &InstanceRecord) -> Self {
        Self {
            instance_id: instance.id.to_string(),
            started_at: time(instance.started_at),
            seen_at: time(instance.seen_at),
            version: instance.version.clone(),
        }
    }
}

impl From<&Funnel> for FunnelRow {
    fn from(funnel: &Funnel) -> Self {
        let &Funnel { lapsed, noticed, opened, redeemed, recovered, recovered_unnoticed } = funnel;
        Self { lapsed, noticed, opened, redeemed, recovered, recovered_unnoticed }
    }
}

impl From<&SweepRecord> for SweepRow {
    fn from(sweep: &SweepRecord) -> Self {
        Self {
            started_at: time(sweep.started_at),
            finished_at: optional_time(sweep.finished_at),
            members: sweep.members,
            unclear: sweep.unclear,
            skipped: sweep.skipped,
            transitions: sweep.transitions,
            complete: sweep.complete,
            ended_early_because: sweep.ended_early_because.clone(),
        }
    }
}
