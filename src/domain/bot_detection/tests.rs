use super::*;
use crate::domain::RequestSignals;
use Client::{Bot, Human};
use EmailStatus::{AcceptedAt, InTransit, NotEmailed};

/// `seconds` after the email server accepted the email.
fn at(seconds: f64) -> Time {
    Time::from_timestamp_millis(1_700_000_000_000 + (seconds * 1000.0) as i64).unwrap()
}

fn view(seconds: f64) -> LinkRequest {
    LinkRequest { action: LinkAction::View, received_at: at(seconds), signals: RequestSignals::default() }
}

fn press(seconds: f64) -> LinkRequest {
    LinkRequest { action: LinkAction::Press, ..view(seconds) }
}

#[test]
fn requests_are_classified_by_method_headers_and_timing() {
    let head = RequestSignals { is_head: true, ..RequestSignals::default() };
    let prefetch = RequestSignals { is_prefetch: true, ..RequestSignals::default() };
    let accepted = AcceptedAt(at(0.0));
    let rows: [(&str, LinkRequest, EmailStatus, Option<f64>, Client); 16] = [
        ("a view a minute after acceptance is human", view(60.0), accepted, None, Human),
        ("a second view is human", view(60.0), accepted, Some(59.9), Human),
        ("a HEAD request is a bot", LinkRequest { signals: head, ..view(60.0) }, accepted, None, Bot),
        ("a prefetched view is a bot", LinkRequest { signals: prefetch, ..view(60.0) }, accepted, None, Bot),
        (
            "a prefetched press is a bot",
            LinkRequest { signals: prefetch, ..press(60.0) },
            accepted,
            Some(20.0),
            Bot,
        ),
        ("a view before acceptance is a bot", view(-0.001), accepted, None, Bot),
        ("a view at acceptance is a bot", view(0.0), accepted, None, Bot),
        ("a view ten seconds after acceptance is a bot", view(10.0), accepted, None, Bot),
        ("a later view is human", view(10.001), accepted, None, Human),
        ("a view while the email is in transit is a bot", view(60.0), InTransit, None, Bot),
        ("a link without an email has no minimum reading time", view(0.0), NotEmailed, None, Human),
        ("a press a second after the view is human", press(60.0), accepted, Some(59.0), Human),
        ("a press sooner after the view is a bot", press(60.0), accepted, Some(59.001), Bot),
        ("a press hours after the view is human", press(9000.0), accepted, Some(60.0), Human),
        ("a press without a view is a bot", press(60.0), accepted, None, Bot),
        ("a press within the reading time is a bot", press(9.0), accepted, Some(1.0), Bot),
    ];
    for (sentence, request, email, last_viewed_at, expected) in rows {
        assert_eq!(classify_client(&request, email, last_viewed_at.map(at)), expected, "{sentence}");
    }
}
