//! Results about members that an outage could explain, until the judge has cleared them.

use super::outcome::PollOutcome;
use super::polled::Polled;
use crate::credentials::{Refusal, TokenProvider};
use crate::detect::poll::Poller;
use crate::domain::{MemberId, Time};
use crate::store::{Store, StoreError, SweepProgress, UnclearMember};

/// Results that wait until the judge clears their window.
#[derive(Debug, Default)]
pub(super) struct Pending {
    refused: Vec<(MemberId, Refusal)>,
    emptied: Vec<Emptied>,
    unclear: Vec<UnclearMember>,
    /// Members who were unclear and have a usable response again.
    recovered: Vec<MemberId>,
}

#[derive(Debug)]
struct Emptied {
    member: MemberId,
    asked_at: Time,
    was_unclear: bool,
}

impl Pending {
    /// Counts one member's outcome, and keeps it until it is cleared.
    pub(super) fn note(&mut self, polled: Polled, now: Time, progress: &mut SweepProgress) {
        let Polled { member, was_unclear, outcome, .. } = polled;
        match outcome {
            PollOutcome::NotStored(_) | PollOutcome::HeldBack { .. } => {}
            PollOutcome::Skipped(reason) => {
                progress.skipped += 1;
                if was_unclear.as_deref() != Some(reason) {
                    self.unclear.push(UnclearMember { member_id: member, reason, retry_at: None });
                }
            }
            PollOutcome::Clear { applied, .. } => {
                progress.members += 1;
                progress.transitions += applied.transitions.len() as u64;
                if was_unclear.is_some() {
                    self.recovered.push(member);
                }
            }
            PollOutcome::TurnedEmpty { asked_at, .. } => {
                progress.members += 1;
                self.emptied.push(Emptied { member, asked_at, was_unclear: was_unclear.is_some() });
            }
            PollOutcome::Unclear { reason, wait, refusal, .. } => {
                progress.members += 1;
                progress.unclear += 1;
                let retry_at = wait.map(|wait| now + wait);
                if was_unclear.as_deref() != Some(reason) || retry_at.is_some() {
                    self.unclear.push(UnclearMember { member_id: member.clone(), reason, retry_at });
                }
                self.refused.extend(refusal.map(|refusal| (member, *refusal)));
            }
        }
    }

    /// Applies the lists that turned empty. Returns the number of transitions.
    pub(super) async fn accept_emptied(&mut self, poller: &Poller) -> Result<u64, StoreError> {
        let mut transitions = 0;
        for Emptied { member, asked_at, was_unclear } in std::mem::take(&mut self.emptied) {
            let applied = poller.accept_empty(&member, asked_at).await?;
            transitions += applied.transitions.len() as u64;
            if was_unclear {
                self.recovered.push(member);
            }
        }
        Ok(transitions)
    }

    /// Holds the refusals against the members.
    pub(super) async fn reject_refused(&mut self, tokens: &TokenProvider) -> Result<(), StoreError> {
        for (member, refusal) in std::mem::take(&mut self.refused) {
            tokens.reject(&member, &refusal).await?;
        }
        Ok(())
    }

    /// Discards refusals and empty lists, because an outage may explain them. Returns how many members that makes unclear.
    /// With `everyone_waits`, no member has a longer wait of its own.
    pub(super) fn discard(&mut self, everyone_waits: bool) -> u64 {
        let emptied = self.emptied.len() as u64;
        self.refused.clear();
        for Emptied { member, .. } in self.emptied.drain(..) {
            self.unclear.push(UnclearMember {
                member_id: member,
                reason: "list_turned_empty",
                retry_at: None,
            });
        }
        if everyone_waits {
            self.unclear.iter_mut().for_each(|unclear| unclear.retry_at = None);
        }
        emptied
    }

    /// Records who has a usable response, and who has not.
    pub(super) async fn record(&mut self, store: &Store, now: Time) -> Result<(), StoreError> {
        store.clear_unclear(&self.recovered, now).await?;
        self.recovered.clear();
        store.record_unclear(&self.unclear, now).await?;
        self.unclear.clear();
        Ok(())
    }
}
