//! Plans the notices of the members whose lapses are due.

use crate::notify::planner::Planner;
use crate::server::components::App;
use crate::server::runner::{Loop, Progress};
use crate::server::wake_signals::WakeSignals;
use std::sync::Arc;
use tokio::sync::Notify;

pub(super) struct PlanLoop {
    /// What the planner of the former configuration planned has to be planned again first.
    adoption: Option<Adoption>,
    planner: Planner,
    wake: Arc<Notify>,
    deliver: Arc<Notify>,
}

struct Adoption {
    app: App,
    former_policy: String,
}

impl PlanLoop {
    pub(super) fn new(app: &App, wakes: &WakeSignals, former_policy: Option<String>) -> Self {
        let adoption = former_policy.map(|former_policy| Adoption { app: app.clone(), former_policy });
        Self {
            adoption,
            planner: app.planner.clone(),
            wake: wakes.plan.clone(),
            deliver: wakes.deliver.clone(),
        }
    }
}

impl Loop for PlanLoop {
    const NAME: &'static str = "plan";

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.wake.clone())
    }

    async fn step(&mut self) -> anyhow::Result<Progress> {
        if let Some(Adoption { app, former_policy }) = &self.adoption {
            app.adopt_policy(Some(former_policy)).await?;
            self.adoption = None;
        }
        let has_worked = self.planner.plan_page().await?;
        if has_worked {
            self.deliver.notify_one();
        }
        Ok(has_worked.into())
    }
}
