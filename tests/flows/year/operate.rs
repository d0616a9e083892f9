//! What an event does: at the gateway, at the mail server, and by the operator's commands.

use super::events::{Address, Event, SOURCES, ZONES, member_id};
use super::holds::Hold;
use super::model::key;
use super::policies::POLICIES;
use super::run::{Check, Run};
use crate::harness::on_postgres;
use chrono::TimeDelta;
use futures_util::future::join;
use reconnectd::domain::{Actor, AddressHash, EmailAddress, HoldScope, HoldState, Suppression};
use reconnectd::sim::Change;
use reconnectd::store::{ClaimLimits, InstanceCommand, NewHold, Restoration, Store};
use tokio_util::sync::CancellationToken;

impl Run {
    pub(super) async fn apply(&mut self, event: &Event) -> Check {
        let (now, store) = (self.now(), self.operator());
        match event {
            Event::Status { member, source, status } => {
                let (id, source) = (member_id(*member), SOURCES[*source]);
                let status = match (source, *status) {
                    // It is always there, so no list is empty.
                    ("basicins", None) => Some("CONNECTED"),
                    ("labcorp", Some("EXPIRED")) => Some("DISCONNECTED"),
                    (_, status) => status,
                };
                self.set(&id, source, status);
            }
            Event::Outage { source, status, share } => self.set_share(*source, *share, status),
            Event::OutageOver { source, share } => self.set_share(*source, *share, "CONNECTED"),
            Event::GatewayTrouble { id, member, trouble } => {
                self.truth.gateway.insert(*id, (member.map(member_id), *trouble));
                self.script_gateway();
            }
            Event::GatewayTroubleOver { id } => {
                self.truth.gateway.remove(id);
                self.script_gateway();
            }
            Event::MailTrouble { id, trouble } => {
                self.truth.mail.insert(*id, *trouble);
                self.script_mail();
            }
            Event::MailTroubleOver { id } => {
                self.truth.mail.remove(id);
                self.script_mail();
            }
            Event::LoseResponses { times } => {
                self.truth.losses_to_come += *times as usize;
                self.script_mail();
            }
            Event::Refuse { member } => {
                if let Some(member) = self.model.members.get(&member_id(*member)) {
                    self.truth.refused.insert(key(&member.address));
                    self.script_mail();
                }
            }
            Event::AcceptAll => {
                self.truth.refused.clear();
                self.script_mail();
                if !store.retry_all_notices(now).await.expect("a retry").is_empty() {
                    self.audit.push("notice_retry");
                }
                self.forget_bounces().await;
            }
            Event::CredentialLost { member } => {
                let id = member_id(*member);
                self.h.sim.world().revoke(&id).expect("a member");
                self.truth.without_credential.insert(id);
            }
            Event::CredentialBack { member } => {
                let id = member_id(*member);
                self.h.sim.world().restore(&id).expect("a member");
                self.truth.without_credential.remove(&id);
                store.retry_credentials(None, now).await.expect("a retry");
                self.audit.push("member_retry");
            }
            Event::ReceiverTrouble { status } => self.change_receiver(Some(*status)),
            Event::ReceiverWorks => self.change_receiver(None),
            Event::RotateTokens => self.h.sim.world().configure(|settings| settings.rotate = true),
            Event::LoseRefresh { member } => {
                self.truth.refreshes_to_lose.insert(member_id(*member));
                self.script_gateway();
            }
            Event::ImportToken { member } => {
                let id = member_id(*member);
                if self.is_enrolled(&id) {
                    self.import(&[id], true).await;
                }
            }
            Event::Visit { link, choice } => self.visit(*link, *choice).await?,
            Event::Unsubscribe { member } => self.unsubscribe(&member_id(*member)).await?,
            Event::Move { member, address } => {
                let id = member_id(*member);
                if self.is_enrolled(&id) {
                    self.model.change_address(&id, &spell(&id, *address));
                    self.import(&[id], false).await;
                }
            }
            Event::Zone { member, zone } => {
                let id = member_id(*member);
                if self.is_enrolled(&id)
                    && let Some(member) = self.model.members.get_mut(&id)
                {
                    member.zone = ZONES[*zone].map(|zone| zone.parse().expect("a zone"));
                    self.import(&[id], false).await;
                }
            }
            Event::Import { file } => self.import_file(*file).await,
            Event::Disconnect { member, source } => {
                self.disconnect(&member_id(*member), SOURCES[*source]).await?;
            }
            Event::Remove { member, is_erased } => self.remove(&member_id(*member), *is_erased).await,
            Event::Return { member } => {
                let id = member_id(*member);
                if !self.is_enrolled(&id) {
                    self.model.enroll(&id, &format!("{id}@example.org"), None);
                    self.import(std::slice::from_ref(&id), true).await;
                    self.pause(&id, false).await;
                }
            }
            Event::Pause { member } => self.pause(&member_id(*member), true).await,
            Event::Resume { member } => self.pause(&member_id(*member), false).await,
            Event::Hold { member, source, status, hours } => {
                let (member, source) =
                    (member.map(member_id), source.map(|source| SOURCES[source].to_owned()));
                let until = hours.map(|hours| now + TimeDelta::hours(hours));
                let scope = HoldScope {
                    member_id: member.as_deref().map(Into::into),
                    source: source.as_deref().map(Into::into),
                    status: status.map(Into::into),
                };
                let record = store.add_hold(&NewHold { scope, until, reason: "a test".into() }, now).await;
                if record.expect("the store answers").is_none() {
                    // The member is not enrolled.
                    return Ok(());
                }
                let status = status.map(str::to_owned);
                self.audit.push("hold_add");
                let hold = Hold { member, source, status, until, is_storm: false, is_dripping: false };
                self.model.holds.push(hold);
            }
            Event::ReleaseAll => self.release_all().await,
            Event::Suppress { member } => {
                if let Some(member) = self.model.members.get(&member_id(*member)) {
                    let address = member.address.clone();
                    store.suppress(hash(&address), Suppression::Operator, now).await.expect("a suppression");
                    if self.model.suppress(&address, Suppression::Operator) {
                        self.expect_for_each_at(&address, "suppress_add");
                    }
                }
            }
            Event::Unsuppress { member } => {
                if let Some(member) = self.model.members.get(&member_id(*member)) {
                    let address = member.address.clone();
                    store.unsuppress(hash(&address), now).await.expect("no suppression");
                    if self.model.suppressed.remove(&key(&address)).is_some_and(|reasons| !reasons.is_empty())
                    {
                        self.expect_for_each_at(&address, "suppress_remove");
                    }
                }
            }
            Event::Invite { member, source } => self.invite(&member_id(*member), SOURCES[*source]).await,
            Event::Policy { policy } => {
                self.model.policy = &POLICIES[*policy];
                self.restart().await;
            }
            Event::Restart => self.restart().await,
            Event::Crash { claimed } => {
                let limits = ClaimLimits::slots(*claimed);
                let lease = now + TimeDelta::minutes(1);
                store.claim_notices(now, lease, &limits).await.expect("a claim");
                self.restart().await;
            }
            Event::TwoPasses => {
                self.has_passed_twice = true;
                let stop = CancellationToken::new();
                let (one, other) = join(self.h.app.run_once(&stop), self.h.app.run_once(&stop)).await;
                one.and(other).expect("two passes");
            }
            // PostgreSQL has tools of its own for that.
            Event::Backup if on_postgres() => {}
            Event::Backup => {
                self.audit.push("backup");
                let file = self.h.folder.path().join(format!("backup-{}.db", self.backups));
                self.backups += 1;
                let made = store.back_up(&file, now, &CancellationToken::new(), &mut |_| {}).await;
                self.saved = Some((made.expect("a backup").file, self.model.clone()));
            }
            Event::Restore => self.restore().await,
        }
        Ok(())
    }

    /// What an operator does by a command leaves rows in the audit.
    pub(super) fn operator(&self) -> Store {
        self.h.app.store.acting_as(Actor::Command("ops".into()))
    }

    /// A row of the audit for each member with the address, or one if there is none.
    fn expect_for_each_at(&mut self, address: &str, action: &'static str) {
        let count = self.model.enrolled().filter(|(_, member)| key(&member.address) == key(address)).count();
        self.audit.extend(std::iter::repeat_n(action, count.max(1)));
    }

    pub(super) fn is_enrolled(&self, id: &str) -> bool {
        self.model.members.get(id).is_some_and(|member| member.is_enrolled)
    }

    pub(super) fn set(&mut self, id: &str, source: &str, status: Option<&str>) {
        let change = status.map_or(Change { absent: true, ..Change::default() }, Change::status);
        self.h.sim.world().change(id, source, change).expect("a member");
        self.truth.rows.insert((id.to_owned(), source.to_owned()), status.map(str::to_owned));
    }

    fn set_share(&mut self, source: usize, share: usize, status: &str) {
        for id in (0..self.shape.members).filter(|member| member % 10 < share).map(member_id) {
            self.set(&id, SOURCES[source], Some(status));
        }
    }

    /// On purpose, so no email follows.
    async fn disconnect(&mut self, id: &str, source: &str) -> Check {
        let (member, operator) = (id.into(), self.h.app.operator.clone());
        if !self.is_enrolled(id) || !self.truth.is_clear(id) {
            return Ok(());
        }
        let Ok(connection) = operator.connection(&member, &source.into()).await else { return Ok(()) };
        let now = self.now();
        self.hear_responses(now, false)?;
        operator.disconnect(&member, connection).await.expect("a connection without trouble");
        self.truth.rows.insert((id.to_owned(), source.to_owned()), Some("DISCONNECTED".to_owned()));
        self.model.part(id, source, now);
        Ok(())
    }

    async fn remove(&mut self, id: &str, is_erased: bool) {
        let (now, store) = (self.now(), self.operator());
        let was_known = self.model.members.contains_key(id);
        if is_erased {
            let pseudonym = self.h.app.keyring.pseudonym(&id.into());
            let erased = store.erase_member(&id.into(), &pseudonym, now).await.expect("an erasure");
            assert_eq!(erased, was_known, "{id}");
            self.audit.extend(erased.then_some("member_erase"));
        } else if store.remove_member(&id.into(), now).await.expect("a removal") {
            self.audit.push("member_remove");
        }
        self.model.remove(id, is_erased, now);
    }

    pub(super) async fn pause(&mut self, id: &str, is_paused: bool) {
        let (now, store) = (self.now(), self.operator());
        let ids = [id.into()];
        if is_paused {
            store.pause_members(&ids, now).await.expect("a pause");
        } else {
            store.resume_members(&ids, now).await.expect("a resume");
        }
        if let Some(member) = self.model.members.get_mut(id).filter(|member| member.is_enrolled) {
            if member.is_paused != is_paused {
                self.audit.push(if is_paused { "member_pause" } else { "member_resume" });
            }
            member.is_paused = is_paused;
        }
    }

    async fn invite(&mut self, id: &str, source: &str) {
        let (member, operator) = (id.into(), &self.h.app.operator);
        // Refused, for example, while the member is paused.
        let Ok(connection) = operator.connection_or_source(&member, &source.into()).await else { return };
        if let Ok(notice) = operator.send_invitation(&member, &connection).await {
            self.invited.insert(notice.to_string(), (id.to_owned(), source.to_owned()));
        }
    }

    pub(super) async fn release_all(&mut self) {
        let (now, store) = (self.now(), self.operator());
        for hold in store.holds().await.expect("holds") {
            if hold.state != HoldState::Ended {
                store.release_hold(&hold.id, now).await.expect("a release");
                self.audit.push("hold_release");
            }
        }
        self.model.holds.clear();
    }

    async fn stop(&mut self) {
        self.lock = None;
        self.h.stop().await;
    }

    async fn start_again(&mut self) {
        self.h.start_again(self.model.policy.settings).await;
        self.lock = Some(self.h.app.acquire_instance_lock(InstanceCommand::Run).await.expect("the lock"));
    }

    async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// The database is lost, and the operator restores the backup. What was emailed since is unknown to it.
    async fn restore(&mut self) {
        let Some((backup, known)) = self.saved.take() else { return };
        self.stop().await;
        let place = self.h.database_file().expect("SQLite");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", place.display()));
        }
        let begun = Restoration::begin(&backup, &place, &CancellationToken::new(), &mut |_| {}).await;
        let restored = begun.expect("a sound backup").finish(Actor::Command("ops".into()), self.now()).await;
        restored.expect("a restored database");
        let everything = Hold {
            member: None,
            source: None,
            status: None,
            until: None,
            is_storm: false,
            is_dripping: false,
        };
        let policy = self.model.policy;
        self.model = known;
        self.model.policy = policy;
        if let Some(reports) = &mut self.reports {
            reports.forget();
        }
        // The backup has its own row.
        self.audit.extend(["backup", "restore"]);
        self.model.holds.push(everything);
        self.start_again().await;
    }
}

fn spell(id: &str, address: Address) -> String {
    match address {
        Address::Own { number: 0 } => format!("{id}@example.org"),
        Address::Own { number } => format!("{id}.{number}@example.org"),
        Address::Family { number, is_capital: false } => format!("family{number}@example.org"),
        Address::Family { number, is_capital: true } => format!("Family{number}@Example.org"),
    }
}

fn hash(address: &str) -> AddressHash {
    address.parse::<EmailAddress>().expect("an address").address_hash()
}
