//! Compares what the daemon did in a step with what the model permits and demands.

use super::connection::Time;
use super::events::member_id;
use super::holds::Hold;
use super::model::Member;
use super::policies::{STORM_MEMBERS, STORM_SHARE, STORM_WINDOW};
use super::run::{Check, Run};
use reconnectd::domain::{HoldKind, HoldState, NoticeState};
use reconnectd::sim::Operation;
use reconnectd::store::ListedNotice;
use std::collections::{BTreeMap, BTreeSet};

/// More refused refreshes can end a sweep early.
const FEW: usize = 5;

impl Run {
    /// `is_thorough`: also reads what takes longer.
    pub(super) async fn observe(&mut self, is_thorough: bool) -> Check {
        let now = self.now();
        self.hear_responses(now, is_thorough)?;
        self.model.note_trouble(&self.truth);
        self.learn_storms(now, is_thorough).await?;
        self.read_emails(now).await?;
        self.hear_events(now, is_thorough).await?;
        self.compare_plans().await?;
        self.hear_bounces();
        self.compare_transitions().await?;
        self.has_passed_twice = false;
        if is_thorough {
            self.compare_lapses().await?;
            self.compare_states().await?;
            self.check_progress(now).await?;
        }
        Ok(())
    }

    /// The members whose lists were asked for since the last step. A sweep must ask for each list that it can get.
    pub(super) fn hear_responses(&mut self, now: Time, swept: bool) -> Check {
        let lost = self.hear_tokens();
        let asks_everybody = swept && self.can_ask_everybody();
        for id in (0..self.members()).map(member_id) {
            let total = self.h.asked(&id, Operation::GetMemberConnections);
            let before = self.asked.insert(id.clone(), total).unwrap_or(0);
            let times = total - before;
            if times == 0 {
                if asks_everybody && !lost.contains(&id) && self.can_be_asked(&id) {
                    return Err(format!("the sweep leaves {id} out"));
                }
                continue;
            }
            let Some(member) = self.model.members.get_mut(&id).filter(|member| member.is_enrolled) else {
                return Err(format!("{id} was polled, and is not enrolled"));
            };
            if self.truth.is_clear(&id) {
                self.model.respond(&id, times, &self.truth, now);
            } else {
                member.is_in_sight = false;
            }
        }
        Ok(())
    }

    /// Whether nothing ends a sweep early.
    fn can_ask_everybody(&self) -> bool {
        let is_gateway_up = self.truth.gateway.values().all(|(of, _)| of.is_some());
        let ids = (0..self.members()).map(member_id);
        let refused = ids.filter(|id| !self.model.has_token(id, &self.truth)).count();
        is_gateway_up && refused + self.truth.without_credential.len() < FEW
    }

    fn can_be_asked(&self, id: &str) -> bool {
        let is_active = |member: &Member| member.is_enrolled && !member.is_paused;
        self.model.members.get(id).is_some_and(is_active)
            && self.truth.is_clear(id)
            && self.model.has_token(id, &self.truth)
    }

    /// A storm is held when it must be, and only then.
    async fn learn_storms(&mut self, now: Time, swept: bool) -> Check {
        self.model.holds.retain(|hold| !hold.is_storm);
        let recent = self.model.recent_lapses(now);
        let count = |source: Option<&str>| {
            let of_source = recent.iter().filter(|(of, _)| source.is_none_or(|source| source == **of));
            of_source.map(|(_, (count, _))| count).sum::<usize>()
        };
        let must_hold =
            |(count, all): &(usize, usize)| *count >= STORM_MEMBERS && count * 100 >= all * STORM_SHARE;
        let stormy: Vec<String> = recent
            .iter()
            .filter(|(_, counts)| must_hold(counts))
            .map(|(source, _)| (*source).to_owned())
            .collect();
        let (mut holds, mut is_after_storm) = (Vec::new(), false);
        for hold in self.h.app.store.holds().await.expect("holds") {
            if hold.kind != HoldKind::Storm {
                continue;
            }
            let source = hold.scope.source.map(|source| source.to_string());
            if hold.since == now && count(source.as_deref()) < STORM_MEMBERS {
                return Err(format!("a storm of {source:?} with the lapses {recent:?}"));
            }
            let is_calm = count(source.as_deref()) * 2 < hold.lapsed as usize;
            let is_over = is_calm && now - hold.since > STORM_WINDOW * 2;
            if is_over && hold.state == HoldState::Holding && swept {
                return Err(format!("the storm of {source:?} since {} goes on, with {recent:?}", hold.since));
            }
            // What an earlier storm has counted starts no other one.
            is_after_storm |= hold.since < now && hold.ended_at.is_none_or(|at| now - at <= STORM_WINDOW);
            // The sweep of one process can begin it while the other one hands an email over.
            let is_too_new = self.has_passed_twice && hold.since == now;
            if hold.state != HoldState::Ended && !is_too_new {
                holds.push(Hold {
                    member: None,
                    source,
                    status: None,
                    until: None,
                    is_storm: true,
                    is_dripping: hold.state == HoldState::Dripping,
                });
            }
        }
        let is_held =
            |source: &String| holds.iter().any(|hold| hold.source.as_ref().is_none_or(|of| of == source));
        if let Some(source) = stormy.iter().find(|source| !is_held(source))
            && !is_after_storm
            && !self.has_passed_twice
        {
            return Err(format!("no storm of {source} with the lapses {recent:?}"));
        }
        self.model.holds.extend(holds);
        Ok(())
    }

    /// Nothing is planned for members who must get no email.
    async fn compare_plans(&mut self) -> Check {
        let after = self.last_notice.as_ref();
        for listed in self.h.app.store.notices(None, None, after, 1_000).await.expect("notices") {
            for item in &listed.notice.items {
                let id = item.member_id.as_str();
                if let Some(reason) = self.model.must_get_none(id) {
                    return Err(format!("{} is planned for {id}: {reason}", listed.notice.id));
                }
            }
            self.last_notice = Some(listed.notice.id);
        }
        Ok(())
    }

    /// Each change is recorded once, when it was first observed, and in order.
    async fn compare_transitions(&mut self) -> Check {
        let store = &self.h.app.store;
        let new =
            store.transitions(None, self.model.last_transition.as_ref(), 100_000).await.expect("transitions");
        let mut found = Vec::new();
        for seen in new {
            let (from, to) = (seen.from.map(|from| from.to_string()), seen.to.to_string());
            found.push((
                seen.member_id.to_string(),
                seen.connection_id.to_string(),
                from,
                to,
                seen.observed_at,
            ));
            self.model.last_transition = Some(seen.id);
        }
        let mut expected = std::mem::take(&mut self.model.changes);
        // In the order of each member.
        found.sort_by(|one, other| one.0.cmp(&other.0));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        for (member, source, from, to, _) in &found {
            self.note(format_args!("  {member} {source}: {} → {to}", from.as_deref().unwrap_or("new")));
        }
        if found != expected {
            return Err(format!("transitions {found:?} instead of {expected:?}"));
        }
        Ok(())
    }

    /// What the operator did leaves these rows, and no others.
    pub(super) async fn compare_audit(&mut self) -> Check {
        let rows = self
            .h
            .app
            .store
            .audit(None, self.start, None, self.audit.len() as u32 + 1)
            .await
            .expect("the audit");
        let new = rows.iter().take_while(|row| row.id > self.model.last_audit);
        let mut found: Vec<&str> = new.map(|row| row.action.as_str()).collect();
        found.sort_unstable();
        self.audit.sort_unstable();
        if found != self.audit {
            return Err(format!("the audit has {found:?} instead of {:?}", self.audit));
        }
        if let Some(newest) = rows.first() {
            newest.id.clone_into(&mut self.model.last_audit);
        }
        self.audit.clear();
        Ok(())
    }

    async fn compare_lapses(&self) -> Check {
        let mut found = BTreeMap::new();
        for lapse in self.h.app.store.lapses(None, None, 100_000).await.expect("lapses") {
            let state = lapse.state.as_str();
            let words = match lapse.outcome.filter(|_| state == "closed") {
                Some(outcome) => format!("{state} {}", outcome.as_str()),
                None => state.to_owned(),
            };
            // The newest one comes last.
            found.insert((lapse.member_id.to_string(), lapse.connection_id.to_string()), words);
        }
        let expected = self.model.lapses();
        let all: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
        let differences: Vec<_> = all
            .into_iter()
            .filter(|of| found.get(of) != expected.get(of))
            .map(|of| format!("{} {}: {:?} instead of {:?}", of.0, of.1, found.get(of), expected.get(of)))
            .collect();
        if differences.is_empty() { Ok(()) } else { Err(format!("lapses: {}", differences.join("; "))) }
    }

    async fn compare_states(&self) -> Check {
        let listed = self.h.app.store.suppressions(None, None, 1_000).await.expect("the suppressions");
        let found: BTreeSet<_> =
            listed.iter().flat_map(|one| &one.members).map(ToString::to_string).collect();
        let is_suppressed = |(_, member): &(&String, &Member)| self.model.is_suppressed(&member.address);
        let expected: BTreeSet<_> =
            self.model.enrolled().filter(is_suppressed).map(|(id, _)| id.clone()).collect();
        if found != expected {
            return Err(format!("{found:?} are suppressed instead of {expected:?}"));
        }
        let states = self.h.rows().await.texts("notices", "state").await.expect("the states");
        if states.iter().any(|state| state == "sending") {
            return Err("a notice is stuck in sending".to_owned());
        }
        Ok(())
    }

    async fn check_progress(&mut self, now: Time) -> Check {
        for (id, source, what) in self.model.late(&self.truth, now) {
            // What the mail server rejected for days is given up until the operator retries it.
            let notices = self.h.notices(&id).await;
            let about = |listed: &&ListedNotice| {
                listed
                    .notice
                    .items
                    .iter()
                    .any(|item| item.member_id.as_str() == id && item.connection_id.as_str() == source)
            };
            // A link that the member requested is no step.
            let is_step = |listed: &&ListedNotice| !self.model.requested.contains(listed.notice.id.as_str());
            let last = notices.iter().rfind(|listed| about(listed) && is_step(listed));
            let had_trouble = self.model.lapse(&id, &source).is_some_and(|lapse| lapse.had_trouble);
            if had_trouble && last.is_some_and(|last| last.notice.state == NoticeState::Abandoned) {
                self.note(format_args!("abandoned: {id} {source}"));
                if let Some(lapse) = self.model.lapse(&id, &source) {
                    lapse.is_abandoned = true;
                }
                continue;
            }
            let last = last.map(|last| {
                format!("{} {} not before {}", last.notice.state.as_str(), last.reason, last.not_before)
            });
            return Err(format!("{id} {source}: {what}; {last:?}"));
        }
        Ok(())
    }

    /// Each notice that is recorded as sent arrived.
    pub(super) async fn check_end(&mut self) -> Check {
        for listed in self.h.app.store.notices(None, None, None, 100_000).await.expect("notices") {
            let id = listed.notice.id.to_string();
            if listed.notice.state == NoticeState::Sent && !self.model.copies.contains_key(&id) {
                return Err(format!("{id} is recorded as sent, and never arrived"));
            }
        }
        Ok(())
    }
}
