//! One handler for each provider. `200` says that a report was understood, not that a member has the address.

use super::body::{Body, bytes, unavailable};
use super::state::HookState;
use crate::base::sns_subscription::confirm_sns_subscription;
use crate::base::telemetry::report_suppressed;
use crate::domain::{SubscribeUrl, TopicArn};
use crate::mail::reports::{InvalidReport, Report, SnsContent, SnsMessage, read_postmark, read_relay};
use crate::web::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;

type Handled = Result<(), Problem>;

pub(super) async fn postmark(State(state): State<HookState>, body: Body) -> Handled {
    let report = read_postmark(&bytes(body)?).map_err(|error| unreadable("postmark", &error))?;
    apply(&state, report).await
}

pub(super) async fn relay(State(state): State<HookState>, body: Body) -> Handled {
    let report = read_relay(&bytes(body)?).map_err(|error| unreadable("bounces", &error))?;
    apply(&state, report).await
}

pub(super) async fn ses(State(state): State<HookState>, body: Body) -> Handled {
    let unreadable = |error| unreadable("ses", &error);
    let message = SnsMessage::read(&bytes(body)?).map_err(unreadable)?;
    if !message.is_from(&state.services.ses_topics) {
        tracing::warn!(
            event = "foreign_sns_topic",
            "refused a message of a topic that is not in bounces.ses_topics"
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, "the topic is not in bounces.ses_topics"));
    }
    match message.content().map_err(unreadable)? {
        SnsContent::Notification(report) => apply(&state, report).await,
        SnsContent::SubscriptionConfirmation { topic, url } => confirm(&topic, &url).await,
        SnsContent::UnsubscribeConfirmation { topic } => {
            tracing::warn!(
                event = "sns_unsubscribed", %topic,
                "the subscription ended: SNS sends no more reports"
            );
            Ok(())
        }
    }
}

fn unreadable(route: &str, error: &InvalidReport) -> Problem {
    tracing::warn!(event = "unreadable_report", route, %error, "a mail provider's report cannot be read");
    Problem::new(StatusCode::BAD_REQUEST, error)
}

async fn apply(state: &HookState, report: Option<Report>) -> Handled {
    let Some(Report { reason, addresses }) = report else { return Ok(()) };
    let services = &state.services;
    match services.store.suppress_reported(&addresses, reason, services.clock.now()).await {
        Ok(members) => {
            report_suppressed(&members, reason);
            Ok(())
        }
        Err(error) => {
            tracing::error!(event = "report_not_stored", %error, "cannot store a mail provider's report");
            Err(unavailable(&error))
        }
    }
}

/// SNS sends the message again after an error.
async fn confirm(topic: &TopicArn, url: &SubscribeUrl) -> Handled {
    match confirm_sns_subscription(url).await {
        Ok(()) => {
            tracing::info!(event = "sns_subscribed", %topic, "confirmed the subscription of an SNS topic");
            Ok(())
        }
        Err(error) => {
            tracing::error!(
                event = "sns_confirmation_failed", %topic, %error,
                "cannot confirm the subscription of an SNS topic"
            );
            Err(Problem::new(StatusCode::BAD_GATEWAY, "cannot confirm the subscription"))
        }
    }
}
