//! The faults that a test can inject between a client and the gateway.

use super::operations::Operation;
use serde::Deserialize;
use std::time::Duration;

/// A fault, and when it occurs. In JSON: `{"operation": "getMemberConnections", "member": "alice",
/// "times": 2, "fault": {"http": {"status": 503}}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The affected operation; any when omitted.
    pub operation: Option<Operation>,
    /// The affected member; any when omitted.
    pub member: Option<String>,
    /// How often it occurs; forever when omitted.
    pub times: Option<u32>,
    /// The share of matching calls that it affects, from 0 to 1, evenly spread and deterministic; all when omitted.
    pub share: Option<f64>,
    pub fault: FaultKind,
}

/// The kinds of faults. `http`, `raw`, `graphql_error`, `null_data`, `not_json`, `reset`, `rejected_token`, and
/// `huge_body` prevent the operation; the others carry it out and alter the response.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// An HTTP status with a page of HTML.
    Http {
        /// The status code.
        status: u16,
        /// The value of `Retry-After`: seconds or an HTTP date.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// A verbatim HTTP response, as a firewall or an API gateway sends it. In JSON: `{"raw": {"status": 401,
    /// "content_type": "application/json", "body": "{\"message\":\"Unauthorized\"}"}}`.
    Raw {
        /// The status code.
        status: u16,
        /// The value of `Content-Type`; without it there is none.
        #[serde(default)]
        content_type: Option<String>,
        /// The body; empty when left out.
        #[serde(default)]
        body: String,
        /// The value of `Retry-After`.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// A GraphQL error under HTTP 200, with `data` null.
    GraphqlError {
        /// The code, such as `throttled`.
        code: String,
    },
    /// The true data and a GraphQL error beside it.
    DataBesideErrors {
        /// The code.
        code: String,
        /// Only the first half of each list.
        #[serde(default)]
        partial: bool,
    },
    /// `{"data": null}`.
    NullData,
    /// Half of the body that `Content-Length` promises.
    CutBody,
    /// A number in place of each operation's data.
    WrongType,
    /// A page of HTML under HTTP 200.
    NotJson,
    /// The connection is reset without a response.
    Reset,
    /// The response is delayed. Delays add up, and other faults occur as well.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The access token is rejected, as if it had expired.
    RejectedToken,
    /// Each list in the response is empty.
    EmptyList,
    /// The row of this connection lacks its name, which makes it unreadable.
    UnreadableRow {
        /// The connection.
        connection: String,
    },
    /// The rows lack `isDirect`.
    NoIsDirect,
    /// A UTF-8 byte order mark before the body.
    ByteOrderMark,
    /// A refresh, a token exchange, or the broker issues another member's access token.
    OtherSubject { member: String },
    /// An oversized body.
    HugeBody {
        /// Its length in bytes.
        bytes: u64,
    },
}

impl Fault {
    /// Affects every call, forever.
    pub fn new(fault: FaultKind) -> Self {
        Self { operation: None, member: None, times: None, share: None, fault }
    }

    /// Affects only this operation.
    #[must_use]
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Affects only this member.
    #[must_use]
    pub fn member(self, member: &str) -> Self {
        Self { member: Some(member.to_owned()), ..self }
    }

    /// Occurs this many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Affects this share of the matching calls, from 0 to 1.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }
}

/// The active faults.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<ActiveFault>);

#[derive(Debug)]
struct ActiveFault {
    fault: Fault,
    matched: u64,
    applied: u32,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(ActiveFault { fault, matched: 0, applied: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn pending(&self) -> Vec<Fault> {
        let pending = self.0.iter().filter(|active| active.applied < active.fault.times.unwrap_or(1));
        pending.map(|active| active.fault.clone()).collect()
    }

    /// Selects the delay and the first other fault for this call.
    pub(super) fn apply(
        &mut self,
        operations: &[Operation],
        member: Option<&str>,
    ) -> (Duration, Option<FaultKind>) {
        let (mut delay, mut fault_kind) = (Duration::ZERO, None);
        for active in &mut self.0 {
            let is_delay = matches!(active.fault.fault, FaultKind::Delay { .. });
            if (fault_kind.is_some() && !is_delay) || !active.matches(operations, member) {
                continue;
            }
            match active.fault.fault.clone() {
                FaultKind::Delay { ms } => delay += Duration::from_millis(ms),
                other => fault_kind = Some(other),
            }
        }
        (delay, fault_kind)
    }
}

impl ActiveFault {
    fn matches(&mut self, operations: &[Operation], member: Option<&str>) -> bool {
        let fault = &self.fault;
        let is_meant = fault.operation.is_none_or(|operation| operations.contains(&operation))
            && (fault.member.is_none() || fault.member.as_deref() == member)
            && fault.times.is_none_or(|times| self.applied < times);
        if !is_meant {
            return false;
        }
        let share = fault.share.unwrap_or(1.0).clamp(0.0, 1.0);
        let due = |calls: u64| (calls as f64 * share).floor();
        let applies = due(self.matched + 1) > due(self.matched);
        self.matched += 1;
        self.applied += u32::from(applies);
        applies
    }
}
