//! Service: redeems a link.
//!
//! The order is: read the link, fetch the URL, consume the redemption, redirect. If the gateway fails, the link stays
//! valid. If several requests race, as many as the link allows succeed.
//!
//! For ten minutes, the browser that redeemed can press the button again, for members who return from the source without
//! finishing the sign-in. That consumes no redemption.

use super::links::LinkService;
use super::resume::{BrowserProof, RESUME_TTL};
use super::state::{ButtonView, LinkState, Resume};
use crate::base::telemetry::{metrics, traces};
use crate::credentials::CallError;
use crate::domain::{
    Button, Client, ConnectionId, LinkAction, LinkRecord, LinkRequest, OauthUrl, Repair, RequestSignals,
    ResumeToken, Status, Time, TokenHash, classify_client,
};
use crate::gateway::Verdict;
use crate::store::{Redemption, StoreError};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct RedemptionRequest<'a> {
    pub(crate) link: TokenHash,
    /// `None`: the only button of the link.
    pub(crate) connection: Option<&'a ConnectionId>,
    pub(crate) proof: &'a BrowserProof,
    /// From the page that asks whether to turn a connection on again.
    pub(crate) confirmation: Option<&'a str>,
    pub(crate) signals: RequestSignals,
}

#[derive(Debug)]
pub(crate) struct RedemptionResult {
    pub(crate) outcome: RedemptionOutcome,
    pub(crate) locale: Option<String>,
    /// The member unsubscribed and can resubscribe.
    pub(crate) unsubscribed: bool,
}

#[derive(Debug)]
pub(crate) enum RedemptionOutcome {
    /// The member signs in at this URL.
    Redirect {
        url: OauthUrl,
        /// `None` when the browser resumed: that does not extend the ten minutes.
        resume: Option<ResumeGrant>,
    },
    /// The gateway reconnected the connection without a sign-in.
    Reconnected {
        /// Another button of the link can be pressed.
        has_more: bool,
    },
    /// The member turned the connection off: a second page asks whether to turn it on again.
    NeedsConfirmation { connection: ConnectionId, token: String },
    /// The member has to use the operator's app.
    NeedsApp,
    /// The state says why.
    Refused(LinkState),
    /// This button is used; others of the link are not. Contains all buttons.
    AlreadyUsed(Vec<ButtonView>),
    /// The link has no press left for this time.
    TooManyPresses(Duration),
    /// The gateway is down; the link stays valid. The duration is the gateway's `Retry-After`.
    RetryLater(Option<Duration>),
    /// The gateway rejects the request until the operator acts; the link stays valid.
    Unavailable,
}

/// For the cookie with which this browser resumes.
#[derive(Debug)]
pub(crate) struct ResumeGrant {
    pub(crate) connection: ConnectionId,
    pub(crate) token: ResumeToken,
}

impl LinkService {
    /// Presses a button. A failing gateway is an outcome, not an error.
    pub(crate) async fn redeem(
        &self,
        request: &RedemptionRequest<'_>,
    ) -> Result<RedemptionResult, StoreError> {
        // Concurrent presses wait for the outcome of the first one. Most then need no gateway call.
        let _in_flight = self.press_limits.enter(request.link).await;
        let Some(record) = self.record(request.link).await? else {
            let outcome = RedemptionOutcome::Refused(LinkState::NotFound);
            return Ok(RedemptionResult { outcome, locale: None, unsubscribed: false });
        };
        let (locale, unsubscribed) = (record.locale.clone(), record.unsubscribed);
        let member = record.member_id.clone();
        let press = async {
            let result = self.redeem_button(request, record).await;
            match &result {
                Ok(outcome) => traces::record("outcome", outcome.code()),
                Err(error) => traces::record_failure(error.code()),
            }
            result
        };
        let outcome = traces::in_span("press", &[("member_id", &member)], press).await?;
        Ok(RedemptionResult { outcome, locale, unsubscribed })
    }

    async fn redeem_button(
        &self,
        request: &RedemptionRequest<'_>,
        record: LinkRecord,
    ) -> Result<RedemptionOutcome, StoreError> {
        let &RedemptionRequest { link, connection, proof, .. } = request;
        let member = record.member_id.clone();
        let Some(button) = record.chosen(connection).cloned() else {
            let state = self.state(link, record, proof);
            return Ok(RedemptionOutcome::Refused(state.without_resume()));
        };
        let id = &button.connection.id;
        let now = self.clock.now();
        let resumes = self.resume_tokens.resume(link, &button, proof, now) == Resume::Here;
        let is_used = button.redemptions >= self.max_redemptions;
        let has_more = match self.state(link, record, proof) {
            LinkState::Ready(views) | LinkState::Dismissed(views) if is_pressable(&views, id) => {
                views.iter().any(|view| view.connection_id != *id && view.state.is_pressable())
            }
            LinkState::Replaced => return Ok(RedemptionOutcome::Refused(LinkState::Replaced)),
            LinkState::Ready(views) if is_used => return Ok(RedemptionOutcome::AlreadyUsed(views)),
            state => return Ok(RedemptionOutcome::Refused(state.without_resume())),
        };
        if let Err(wait) = self.press_limits.take(link) {
            tracing::warn!(
                event = "too_many_presses", member_id = %member, connection_id = %id,
                "too many presses of one link"
            );
            return Ok(RedemptionOutcome::TooManyPresses(wait));
        }
        let redemption = Redemption {
            link,
            member: &member,
            connection: id,
            form_key: proof.form_key,
            form_key_since: now - RESUME_TTL,
            at: now,
            recheck_at: self.first_recheck.map(|delay| now + delay),
        };
        let result = match button.connection.source.repair() {
            Repair::Oauth => self.redirect_to_source(&redemption, &button, proof, resumes).await,
            Repair::Direct if !resumes && self.needs_confirmation(request, &button, now).await? => {
                match self.confirmation_tokens.issue(link, id, now) {
                    Some(token) => Ok(RedemptionOutcome::NeedsConfirmation { connection: id.clone(), token }),
                    None => Ok(RedemptionOutcome::Unavailable),
                }
            }
            Repair::Direct if resumes => Ok(RedemptionOutcome::Reconnected { has_more }),
            Repair::Direct => self.reconnect_directly(&redemption, &button, proof, has_more).await,
            Repair::App => Ok(RedemptionOutcome::NeedsApp),
        };
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(CallError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(
                    event = "redemption_failed", member_id = %member, connection_id = %id,
                    request_id = error.request_id(), %error, "redemption failed"
                );
                traces::record_failure(error.code());
                classify(&error)
            }
        };
        metrics::count_redemption(outcome.code());
        Ok(outcome)
    }

    /// Health data flows again after this press, so the press alone must not turn a connection on that its member turned
    /// off, and neither must a bot that submits the forms of both pages.
    async fn needs_confirmation(
        &self,
        request: &RedemptionRequest<'_>,
        button: &Button,
        now: Time,
    ) -> Result<bool, StoreError> {
        if button.connection.status != Some(Status::Disconnected) {
            return Ok(false);
        }
        let &RedemptionRequest { link, confirmation, signals, .. } = request;
        let verify = |token| self.confirmation_tokens.verify(token, link, &button.connection.id, now);
        let Some(asked_at) = confirmation.and_then(verify) else { return Ok(true) };
        let Some(context) = self.store.link_context(link).await? else { return Ok(true) };
        let press = LinkRequest { action: LinkAction::Press, received_at: now, signals };
        Ok(classify_client(&press, context.email, Some(asked_at)) == Client::Bot)
    }

    async fn redirect_to_source(
        &self,
        redemption: &Redemption<'_>,
        button: &Button,
        proof: &BrowserProof,
        resumes: bool,
    ) -> Result<RedemptionOutcome, CallError> {
        let credentials = self.tokens.credentials(redemption.member).await?;
        let id = &button.gateway_id;
        let fetch = |token| async move { self.gateway.oauth_url(&token, id).await };
        let fetched = async {
            let url = self.tokens.call_as(redemption.member, &credentials, fetch).await;
            url.inspect_err(|error| traces::record_failure(error.code()))
        };
        let attributes: [traces::Attribute<'_>; 1] = [("connection_id", redemption.connection)];
        let url = traces::in_child_span("oauth_url", &attributes, fetched).await?;
        let redemption = &self.at_current_time(redemption);
        self.store.record_sign_in_host(&url, redemption.at).await?;
        if !resumes && self.consume(redemption).await? {
            let connection = redemption.connection.clone();
            let token = self.resume_tokens.issue(redemption.link, &connection, redemption.at);
            let resume = token.map(|token| ResumeGrant { connection, token });
            return Ok(RedemptionOutcome::Redirect { url, resume });
        }
        // Used, but perhaps by this browser: the same form may have been sent twice at once.
        if !self.can_resume(redemption, proof).await? {
            return self.refuse(redemption.link).await;
        }
        self.store.reschedule_recheck(redemption).await?;
        tracing::info!(
            event = "redemption_resumed", member_id = %redemption.member,
            connection_id = %redemption.connection,
            "redemption resumed"
        );
        Ok(RedemptionOutcome::Redirect { url, resume: None })
    }

    /// Consumes the redemption before the gateway's call: unlike fetching a URL, this call takes effect at the gateway.
    async fn reconnect_directly(
        &self,
        redemption: &Redemption<'_>,
        button: &Button,
        proof: &BrowserProof,
        has_more: bool,
    ) -> Result<RedemptionOutcome, CallError> {
        if !self.consume_and_reconnect(redemption, button).await? {
            if self.can_resume(redemption, proof).await? {
                return Ok(RedemptionOutcome::Reconnected { has_more });
            }
            return self.refuse(redemption.link).await;
        }
        Ok(RedemptionOutcome::Reconnected { has_more })
    }

    /// The gateway's response can take seconds, in which the link may expire.
    fn at_current_time<'a>(&self, redemption: &Redemption<'a>) -> Redemption<'a> {
        let at = self.clock.now();
        let recheck_at = self.first_recheck.map(|delay| at + delay);
        Redemption { at, form_key_since: at - RESUME_TTL, recheck_at, ..*redemption }
    }

    pub(super) async fn consume(&self, redemption: &Redemption<'_>) -> Result<bool, StoreError> {
        let is_consumed = self.store.redeem(redemption, self.max_redemptions).await?;
        if is_consumed {
            tracing::info!(
                event = "link_redeemed", member_id = %redemption.member,
                connection_id = %redemption.connection,
                "link redeemed"
            );
        }
        Ok(is_consumed)
    }

    async fn can_resume(
        &self,
        redemption: &Redemption<'_>,
        proof: &BrowserProof,
    ) -> Result<bool, StoreError> {
        Ok(match self.view(redemption.link, proof).await?.state {
            LinkState::Ready(views) | LinkState::Dismissed(views) => {
                is_pressable(&views, redemption.connection)
            }
            _ => false,
        })
    }

    async fn refuse(&self, link: TokenHash) -> Result<RedemptionOutcome, CallError> {
        let state = self.view(link, &BrowserProof::default()).await?.state;
        Ok(RedemptionOutcome::Refused(state.without_resume()))
    }
}

fn is_pressable(views: &[ButtonView], connection: &ConnectionId) -> bool {
    views.iter().any(|view| view.connection_id == *connection && view.state.is_pressable())
}

impl RedemptionOutcome {
    fn code(&self) -> &'static str {
        match self {
            Self::Redirect { resume: Some(_), .. } => "redirected",
            Self::Redirect { resume: None, .. } => "resumed",
            Self::Reconnected { .. } => "reconnected",
            Self::NeedsConfirmation { .. } => "needs_confirmation",
            Self::NeedsApp => "needs_app",
            Self::Refused(_) | Self::AlreadyUsed(_) => "refused",
            Self::TooManyPresses(_) => "too_many_presses",
            Self::RetryLater(_) => "retry_later",
            Self::Unavailable => "unavailable",
        }
    }
}

fn classify(error: &CallError) -> RedemptionOutcome {
    match error {
        CallError::NoToken { .. } => RedemptionOutcome::Unavailable,
        CallError::Gateway(error) => match error.verdict() {
            Verdict::Retry { after } => RedemptionOutcome::RetryLater(after),
            Verdict::Unauthorized => RedemptionOutcome::RetryLater(None),
            Verdict::Rejected | Verdict::Forbidden | Verdict::Permanent => RedemptionOutcome::Unavailable,
        },
        _ => RedemptionOutcome::RetryLater(None),
    }
}
