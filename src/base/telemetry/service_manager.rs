//! Reports the daemon's state to its service manager, if there is one (sd_notify(3)).

use sd_notify::NotifyState;

pub(crate) fn notify_ready() {
    notify(&NotifyState::Ready);
}

pub(crate) fn notify_stopping() {
    notify(&NotifyState::Stopping);
}

fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, ?state, "sd_notify failed");
    }
}
