//! What can go wrong between a client and the gateway, on demand.

use super::requests::Operation;
use serde::Deserialize;
use std::time::Duration;

/// Something that goes wrong, and when. In JSON: `{"operation": "getMemberConnections", "member": "alice",
/// "times": 2, "fault": {"http": {"status": 503}}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation that it befalls; any when left out.
    pub operation: Option<Operation>,
    /// The member whose calls it befalls; anyone's when left out.
    pub member: Option<String>,
    /// How often it happens before it is over; for ever when left out.
    pub times: Option<u32>,
    /// The share of matching calls that it befalls, from 0 to 1, evenly spread and the same in each run; all
    /// when left out.
    pub share: Option<f64>,
    /// What happens.
    pub fault: FaultKind,
}

/// What goes wrong. `http`, `raw`, `graphql_error`, `null_data`, `not_json`, `reset`, `rejected_token` and
/// `huge_body` strike before the operation is carried out; the others carry it out and spoil the answer.
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
    /// An HTTP answer, word for word, as firewalls and API gateways give one. In JSON: `{"raw": {"status": 401,
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
    /// A number where each operation's answer belongs.
    WrongType,
    /// A page of HTML under HTTP 200.
    NotJson,
    /// The connection is reset without an answer.
    Reset,
    /// The answer comes late. Delays add up, and do not keep other faults away.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// The access token is refused, as if it had expired.
    RejectedToken,
    /// Each list of the answer is empty.
    EmptyList,
    /// The row of this connection has no name: it cannot be read.
    UnreadableRow {
        /// The connection.
        connection: String,
    },
    /// No row says whether it is direct.
    NoIsDirect,
    /// A UTF-8 byte order mark before the body.
    ByteOrderMark,
    /// The access token that a refresh, a token exchange or the broker grants is another member's.
    OtherSubject {
        /// Whose it is.
        member: String,
    },
    /// A body without end, or nearly.
    HugeBody {
        /// Its length in bytes.
        bytes: u64,
    },
}

impl Fault {
    /// Befalls every call, for ever.
    pub fn new(fault: FaultKind) -> Self {
        Self { operation: None, member: None, times: None, share: None, fault }
    }

    /// Befalls this operation alone.
    #[must_use]
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Befalls this member's calls alone.
    #[must_use]
    pub fn member(self, member: &str) -> Self {
        Self { member: Some(member.to_owned()), ..self }
    }

    /// Happens so often, then is over.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Befalls this share of the matching calls, from 0 to 1.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Armed>);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    matched: u64,
    struck: u32,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(Armed { fault, matched: 0, struck: 0 });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Those that have not happened yet, or not as often as they were to.
    pub(super) fn pending(&self) -> Vec<Fault> {
        let pending = self.0.iter().filter(|armed| armed.struck < armed.fault.times.unwrap_or(1));
        pending.map(|armed| armed.fault.clone()).collect()
    }

    /// What befalls this call: how long its answer is kept back, and the first trouble that strikes.
    pub(super) fn strike(
        &mut self,
        operations: &[Operation],
        member: Option<&str>,
    ) -> (Duration, Option<FaultKind>) {
        let (mut delay, mut trouble) = (Duration::ZERO, None);
        for armed in &mut self.0 {
            let is_delay = matches!(armed.fault.fault, FaultKind::Delay { .. });
            if (trouble.is_some() && !is_delay) || !armed.strikes(operations, member) {
                continue;
            }
            match armed.fault.fault.clone() {
                FaultKind::Delay { ms } => delay += Duration::from_millis(ms),
                other => trouble = Some(other),
            }
        }
        (delay, trouble)
    }
}

impl Armed {
    fn strikes(&mut self, operations: &[Operation], member: Option<&str>) -> bool {
        let fault = &self.fault;
        let meant = fault.operation.is_none_or(|operation| operations.contains(&operation))
            && (fault.member.is_none() || fault.member.as_deref() == member)
            && fault.times.is_none_or(|times| self.struck < times);
        if !meant {
            return false;
        }
        let share = fault.share.unwrap_or(1.0).clamp(0.0, 1.0);
        let due = |calls: u64| (calls as f64 * share).floor();
        let strikes = due(self.matched + 1) > due(self.matched);
        self.matched += 1;
        self.struck += u32::from(strikes);
        strikes
    }
}
