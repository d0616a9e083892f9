//! The gateway and the endpoints of tokens: the stages of a poll, a delivery, and a press.

use super::http_faults::{HttpFault, Way, http_faults};
use super::row::{LogSince, Outcome, Row, Section, about, alerts_on, listed, value};
use crate::broken_http::BrokenServer;
use crate::harness::{Harness, Setup, link_in};
use crate::served_pages::ServedPages;
use chrono::TimeDelta;
use rcgen::KeyPair;
use reconnectd::domain::{MemberId, Time};
use reconnectd::notify::deliver::Delivered;
use reconnectd::server::components::App;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

const REDIRECTED: &str = "the member is sent to the sign-in: the fault costs nothing";

/// A request of the daemon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Poll,
    Refresh,
    Exchange,
    Broker,
    SecondLook,
    OauthUrl,
    Press,
}

impl Stage {
    pub(super) const ALL: [Self; 7] = [
        Self::Poll,
        Self::Refresh,
        Self::Exchange,
        Self::Broker,
        Self::SecondLook,
        Self::OauthUrl,
        Self::Press,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Poll => "The gateway, while a sweep polls a member",
            Self::Refresh => "The gateway, while it renews a member's tokens for a poll",
            Self::Exchange => "The token endpoint, before a poll",
            Self::Broker => "The token broker, before a poll",
            Self::SecondLook => "The gateway, at the second look before an email",
            Self::OauthUrl => "The gateway, when an email needs a sign-in URL",
            Self::Press => "The gateway, when a member presses the button",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Poll => "The request `getMemberConnections`. It changes nothing, so it can be repeated.",
            Self::Refresh => {
                "The request `refresh`. The gateway may have consumed the refresh token, so it is repeated only if \
                 nothing of it was sent."
            }
            Self::Exchange => "The request to `gateway.auth.token_url`. It can be repeated.",
            Self::Broker => "The request to `gateway.auth.broker_url`. It can be repeated.",
            Self::SecondLook => "The request `getMemberConnections`, when a queued notice is delivered.",
            Self::OauthUrl => "The request `getOauthUrl`, which verifies that reconnecting is possible.",
            Self::Press => "The request `getOauthUrl`, while a person waits.",
        }
    }

    /// A text that only its requests contain, and their name in the log.
    fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::Poll | Self::SecondLook => ("query getMemberConnections", "getMemberConnections"),
            Self::Refresh => ("query refreshTokens", "refreshTokens"),
            Self::Exchange => ("subject_token=", "token exchange"),
            Self::Broker => ("\"member_id\"", "token broker"),
            Self::OauthUrl | Self::Press => ("query getOauthUrl", "getOauthUrl"),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Exchange => "/identity/oauth/token",
            Self::Broker => "/broker/token",
            _ => "/v1/graphql",
        }
    }

    fn url_key(self) -> &'static str {
        match self {
            Self::Exchange => "GATEWAY__AUTH__TOKEN_URL",
            Self::Broker => "GATEWAY__AUTH__BROKER_URL",
            _ => "GATEWAY__URL",
        }
    }

    /// How the daemon gets access tokens.
    fn auth(self) -> Vec<(&'static str, String)> {
        let signing_key = || KeyPair::generate().expect("a key").serialize_pem();
        match self {
            Self::Exchange => vec![
                ("GATEWAY__AUTH__MODE", "token_exchange".to_owned()),
                ("GATEWAY__AUTH__ALGORITHM", "ES256".to_owned()),
                ("GATEWAY__AUTH__KEY_ID", "k1".to_owned()),
                ("GATEWAY__AUTH__ISSUER", "https://id.example.org".to_owned()),
                ("GATEWAY__AUTH__AUDIENCE", "gateway".to_owned()),
                ("GATEWAY__AUTH__SIGNING_KEY", signing_key()),
            ],
            Self::Broker => vec![("GATEWAY__AUTH__MODE", "broker".to_owned())],
            _ => vec![],
        }
    }
}

struct Bench {
    h: Harness,
    server: BrokenServer,
    stage: Stage,
    /// Its connections to the server are all new: none of its requests succeeds.
    unconnected: Daemon,
    /// Expects TLS.
    over_tls: Daemon,
    /// Looks for the server where there is none.
    astray: Daemon,
}

/// One beside the harness's own, with pages of its own.
struct Daemon {
    app: App,
    pages: ServedPages,
}

impl Daemon {
    fn new(app: App) -> Self {
        let mut pages = ServedPages::bind();
        pages.serve(&app);
        Self { app, pages }
    }
}

/// Lets each fault happen at the stage, each time for another member, and ends it again.
pub(super) async fn section(stage: Stage) -> Section {
    let faults = http_faults();
    let server = BrokenServer::start().await;
    let mut setup = Setup::default()
        .members(faults.len() as u32)
        .set("GATEWAY__TIMEOUT", "2s")
        // So that a busy machine answers what is in flight in time.
        .set("GATEWAY__MAX_IN_FLIGHT", 2)
        .set("LINKS__REQUESTS_PER_MINUTE", 0)
        .set(stage.url_key(), format!("http://{}{}", server.address(), stage.path()));
    for (key, value) in stage.auth() {
        setup = setup.set(key, value);
    }
    let h = setup.start().await;
    server.forward_to(h.sim.http_addr());
    let members: Vec<String> = (1..=faults.len()).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(h.pass().await.complete(), "the first pass is clear");
    let at = async |host: &str| {
        Daemon::new(h.another_app(&[(stage.url_key(), &format!("{host}{}", stage.path()))]).await)
    };
    let bench = Bench {
        unconnected: Daemon::new(h.another_app(&[]).await),
        over_tls: at(&format!("https://{}", server.address())).await,
        astray: at("https://no-such-host.invalid").await,
        h,
        server,
        stage,
    };
    let mut rows = Vec::new();
    for (fault, member) in faults.iter().zip(&members) {
        rows.push(Row { fault: fault.name.clone(), outcome: bench.outcome(fault, member).await });
    }
    bench.expect_all_to_be_told_once(&members).await;
    Section { title: stage.title(), about: stage.about(), rows }
}

impl Bench {
    /// Brings the member to the stage.
    async fn prepare(&self, fault: &HttpFault, member: &str) {
        let Self { h, stage, .. } = self;
        if fault.befalls_a_kept_connection() {
            // The last request of this kind may have left no connection.
            self.forget_token(member).await;
            assert!(h.retry(&[member]).await.complete());
        }
        h.set(member, "epic", "EXPIRED");
        match stage {
            Stage::Poll => {}
            Stage::Refresh | Stage::Exchange | Stage::Broker => self.forget_token(member).await,
            Stage::SecondLook | Stage::OauthUrl | Stage::Press => {
                assert!(h.retry(&[member]).await.complete());
                while h.app.planner.plan_page().await.unwrap() {}
            }
        }
        if *stage == Stage::Press {
            h.app.deliverer.deliver_one().await.unwrap();
        }
    }

    async fn forget_token(&self, member: &str) {
        self.h.rows().await.delete_where("access_tokens", ("member_id", member)).await.expect("a token");
    }

    async fn outcome(&self, fault: &HttpFault, member: &str) -> Outcome {
        let Self { h, server, stage, .. } = self;
        self.prepare(fault, member).await;
        let log = LogSince::now(&h.log);
        fault.begin(server, stage.request().0).await;
        let other = match &fault.way {
            Way::NoSuchHost => Some(&self.astray),
            Way::BrokenTls(_) => Some(&self.over_tls),
            _ if !fault.befalls_a_request() => Some(&self.unconnected),
            _ => None,
        };
        let (app, pages) = other.map_or((&h.app, &h.pages), |daemon| (&daemon.app, &daemon.pages));
        let outcome = match stage {
            Stage::Poll | Stage::Refresh | Stage::Exchange | Stage::Broker => {
                self.poll(app, member, &log).await
            }
            Stage::SecondLook | Stage::OauthUrl => self.deliver(app, member, &log).await,
            Stage::Press => self.press(pages, member, &log).await,
        };
        let broken = server.mend().await;
        assert!(
            broken > 0 || matches!(fault.way, Way::Refused | Way::NoSuchHost),
            "{} happens: {outcome:?}",
            fault.name
        );
        if *stage == Stage::Press {
            let again = h.press(&self.link(member)).await;
            assert_eq!(
                again.location.is_none(),
                outcome.concludes == REDIRECTED,
                "{}: one redemption",
                fault.name
            );
        }
        // Each success shows that the gateway does not throttle everyone.
        assert!(h.retry(&[member]).await.complete(), "after {}", fault.name);
        if matches!(stage, Stage::SecondLook | Stage::OauthUrl) {
            h.app.store.retry_all_notices(h.clock.now()).await.expect("a retry");
            while matches!(h.app.deliverer.deliver_one().await.expect("a delivery"), Delivered::One(_)) {}
            assert_eq!(h.notice_states(member).await, ["sent"], "after {}", fault.name);
        }
        outcome
    }

    async fn poll(&self, app: &App, member: &str, log: &LogSince<'_>) -> Outcome {
        let Self { h, .. } = self;
        let id = Ok(MemberId::from(member));
        let stop = CancellationToken::new();
        app.sweeper.poll_now(futures_util::stream::iter([id]), &stop).await.expect("a poll");
        let rows = h.rows().await.rows("unclear_members", ["member_id", "reason", "retry_at"]).await.unwrap();
        let unclear = rows.into_iter().find(|[id, ..]| id == member);
        let known = h.path(member, "epic").await;
        let credential = h.credential(member).await;
        let Some([_, reason, retry_at]) = unclear else {
            assert_eq!(known, ["CONNECTED", "EXPIRED"]);
            let concludes = "the true state: the fault costs nothing".to_owned();
            return Outcome { concludes, next: self.tries(log), seen: self.seen(log, member) };
        };
        assert_eq!(known, ["CONNECTED"], "nothing is concluded");
        assert!(h.notice_states(member).await.is_empty(), "nobody is told");
        let credential = if credential == "ok" { "is kept" } else { credential };
        let concludes = format!(
            "nothing about connections; the member is without a response (`{reason}`); the credential {credential}"
        );
        let wait =
            retry_at.parse().ok().map(|at| self.wait_until(at)).filter(|wait| *wait > TimeDelta::zero());
        let again = match wait {
            Some(wait) => format!("a sweep asks again {}", about(wait)),
            None => "the next sweep asks again".to_owned(),
        };
        Outcome { concludes, next: format!("{}; {again}", self.tries(log)), seen: self.seen(log, member) }
    }

    async fn deliver(&self, app: &App, member: &str, log: &LogSince<'_>) -> Outcome {
        let Self { h, .. } = self;
        app.deliverer.deliver_one().await.expect("a delivery");
        let listed = h.notices(member).await.pop().expect("a notice");
        let attempts = h.app.store.attempts(&listed.notice.id).await.expect("attempts");
        let last = attempts.last().expect("an attempt");
        let (outcome, reason) =
            (last.outcome.as_deref().unwrap_or("none"), last.reason.as_deref().unwrap_or("none"));
        let state = listed.notice.state.as_str();
        let concludes = format!("the attempt is `{outcome}` (`{reason}`); the notice is `{state}`");
        let again = match state {
            "queued" => format!("; the next attempt is {}", about(listed.not_before - h.clock.now())),
            _ => String::new(),
        };
        let notice = format!("notice_id={}", listed.notice.id);
        Outcome {
            concludes,
            next: format!("{}{again}", self.tries(log)),
            seen: self.seen_about(log, &[&notice]),
        }
    }

    async fn press(&self, pages: &ServedPages, member: &str, log: &LogSince<'_>) -> Outcome {
        let usual = self.h.pages.address().to_string();
        let link = self.link(member).replacen(&usual, &pages.address().to_string(), 1);
        let page = self.h.press(&link).await;
        let concludes = match page.location {
            Some(_) => REDIRECTED.to_owned(),
            None => format!(
                "the page `{}` under HTTP {}; the link is not used up",
                page.states().first().copied().unwrap_or_default(),
                page.status
            ),
        };
        let wait = page.headers.get("retry-after").and_then(|value| value.to_str().ok());
        let again = wait.map_or(String::new(), |wait| format!("; the page asks to wait for {wait} s"));
        Outcome { concludes, next: format!("{}{again}", self.tries(log)), seen: self.seen(log, member) }
    }

    /// The link in the member's email.
    fn link(&self, member: &str) -> String {
        let mails = self.h.mails();
        let mail = mails.iter().rfind(|mail| mail.to == [format!("{member}@example.org")]);
        link_in(mail.expect("an email"))
    }

    /// How often the log says that a response came, or did not.
    fn tries(&self, log: &LogSince<'_>) -> String {
        let operation = format!("operation=\"{}\"", self.stage.request().1);
        match log.lines_with(&[&operation, "gateway response"]).len() {
            1 => "asks once".to_owned(),
            2 => "asks twice".to_owned(),
            times => format!("asks {times} times"),
        }
    }

    fn seen(&self, log: &LogSince<'_>, member: &str) -> String {
        self.seen_about(log, &[&format!("member_id={member}")])
    }

    fn seen_about(&self, log: &LogSince<'_>, subjects: &[&str]) -> String {
        let operation = format!("operation=\"{}\"", self.stage.request().1);
        let lines = log.lines_with(&[&operation, "outcome=\""]);
        let outcomes: BTreeSet<_> = lines.iter().filter_map(|line| value(line, "outcome")).collect();
        let metric = "reconnectd_gateway_request_duration_seconds";
        let alerts: BTreeSet<_> = outcomes.iter().flat_map(|outcome| alerts_on(metric, outcome)).collect();
        let counted = outcomes.iter().map(|outcome| format!("outcome `{outcome}`"));
        listed(log.events_about(subjects).into_iter().chain(counted).chain(alerts))
    }

    fn wait_until(&self, at: i64) -> TimeDelta {
        Time::from_timestamp_millis(at).expect("a time") - self.h.clock.now()
    }

    /// After the last fault, each member's story ends as if there had been none.
    async fn expect_all_to_be_told_once(&self, members: &[String]) {
        let Self { h, .. } = self;
        for _ in 0..2 {
            assert!(h.pass_after(TimeDelta::hours(2)).await.complete());
        }
        for member in members {
            assert_eq!(h.path(member, "epic").await, ["CONNECTED", "EXPIRED"], "{member}");
            assert_eq!(h.notice_states(member).await, ["sent"], "{member}");
            assert_eq!(h.credential(member).await, "ok", "{member}");
        }
        let told: BTreeSet<_> = h.recipients().into_iter().collect();
        assert_eq!((told.len(), h.mails().len()), (members.len(), members.len()), "each once");
    }
}
