//! The HTTP server and its routes.

use super::{app::App, control, gateway, identity, inbox, oauth, pages, paths, wire};
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header::DATE},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::TimeDelta;
use std::any::Any;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

/// All routes.
pub(super) fn routes(app: App) -> Router {
    Router::new()
        .route(paths::GRAPHQL, post(gateway::graphql))
        .route("/identity/oauth/token", post(identity::exchange))
        .route("/broker/token", post(identity::broker))
        .route("/oauth/authorize", get(oauth::show).post(oauth::answer))
        .route("/oauth/done", get(oauth::done))
        .route("/", get(pages::index))
        .route("/press", post(control::press))
        .route("/mail", get(inbox::list))
        .route("/mail/{n}", get(inbox::show))
        .route("/mail/{n}/html", get(inbox::html))
        .route("/mail/{n}/raw", get(inbox::raw))
        .merge(control::routes())
        .layer(middleware::map_response_with_state(app.clone(), stamp))
        .with_state(app)
}

/// Adds the time of the simulated world and a request id to every response.
async fn stamp(State(app): State<App>, mut response: Response) -> Response {
    let time = app.world.now() + TimeDelta::seconds(app.world.settings().date_ahead);
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(time.into())) {
        headers.insert(DATE, date);
    }
    if let Ok(id) = HeaderValue::from_str(&crate::base::random::id(app.world.now())) {
        headers.insert("x-request-id", id);
    }
    response
}

/// Serves until `stop`. A panic of a handler ends it, so that no defect of the simulator looks like a fault
/// of the gateway.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> Result<(), String> {
    let (panicked, mut panic) = mpsc::unbounded_channel();
    let router = router.layer(CatchPanicLayer::custom(move |cause: Box<dyn Any + Send>| {
        // The send fails only when the server has ended already.
        let _ = panicked.send(panic_message(cause.as_ref()));
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }));
    let service = router.into_make_service_with_connect_info::<wire::Cut>();
    let served =
        axum::serve(wire::Listener(listener), service).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        biased;
        Some(message) = panic.recv() => Err(message),
        served = served => served.map_err(|error| error.to_string()),
    }
}

/// The message of a panic.
pub(super) fn panic_message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().copied();
    let text = text.or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}
