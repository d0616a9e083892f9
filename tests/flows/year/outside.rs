//! The troubles of the gateway and of the mail server, as faults of the simulator.

use super::events::{GatewayTrouble, MailTrouble, member_id};
use super::model::key;
use super::run::Run;
use reconnectd::domain::Suppression;
use reconnectd::sim::{Fault, FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage};
use std::collections::BTreeSet;

impl Run {
    /// Replaces all faults of the gateway.
    pub(super) fn script_gateway(&self) {
        let world = self.h.sim.world();
        world.clear_faults();
        for (of, trouble) in self.truth.gateway.values() {
            let (operation, kind) = match trouble {
                GatewayTrouble::Unavailable => {
                    (Operation::GetMemberConnections, FaultKind::Http { status: 503, retry_after: None })
                }
                GatewayTrouble::NullData => (Operation::GetMemberConnections, FaultKind::NullData),
                GatewayTrouble::CutBody => (Operation::GetMemberConnections, FaultKind::CutBody),
                GatewayTrouble::NotJson => (Operation::GetMemberConnections, FaultKind::NotJson),
                GatewayTrouble::NoSignIn => {
                    (Operation::GetOauthUrl, FaultKind::Http { status: 503, retry_after: None })
                }
            };
            let fault = Fault::new(kind).on(operation);
            world.add_fault(match of {
                Some(member) => fault.member(member),
                None => fault,
            });
        }
        for member in &self.truth.refreshes_to_lose {
            world.add_fault(Fault::new(FaultKind::CutBody).on(Operation::Refresh).member(member).times(1));
        }
    }

    /// The daemon has each refresh token that the gateway has issued, unless the response was lost. Returns for whom it was.
    pub(super) fn hear_tokens(&mut self) -> BTreeSet<String> {
        let world = self.h.sim.world();
        let is_refresh = |fault: &Fault| fault.operation == Some(Operation::Refresh);
        let faults = world.pending_faults().into_iter().filter(is_refresh);
        let still: BTreeSet<String> = faults.filter_map(|fault| fault.member).collect();
        let lost: BTreeSet<_> = self.truth.refreshes_to_lose.difference(&still).cloned().collect();
        for id in (0..self.shape.members).map(member_id) {
            let token = world.refresh_token(&id).expect("a member");
            let before = self.truth.tokens.insert(id.clone(), token.clone());
            let is_new = before.as_ref() != Some(&token) && !lost.contains(&id);
            if let Some(member) = self.model.members.get_mut(&id).filter(|_| is_new) {
                member.token = token;
            }
        }
        self.truth.refreshes_to_lose = still;
        lost
    }

    /// Replaces all faults of the mail server.
    pub(super) fn script_mail(&self) {
        let mailbox = self.h.sim.mailbox();
        mailbox.clear_faults();
        for address in &self.truth.refused {
            for spelling in spellings(address) {
                mailbox.script(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 No such user").to(&spelling));
            }
        }
        for trouble in self.truth.mail.values() {
            mailbox.script(match trouble {
                MailTrouble::Greylisting => SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted"),
                MailTrouble::DropsConnections => SmtpFault::new(SmtpStage::Connect, SmtpAction::Drop),
                MailTrouble::DropsAtData => SmtpFault::new(SmtpStage::Data, SmtpAction::Drop),
                MailTrouble::RefusesService => SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 Closing"),
            });
        }
        for _ in 0..self.truth.losses_to_come {
            mailbox.script(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop).times(1));
        }
    }

    /// How many emails were stored without a response since the last call.
    pub(super) fn take_losses(&mut self) -> usize {
        let is_loss = |fault: &SmtpFault| matches!(fault.action, SmtpAction::StoreAndDrop);
        let left = self.h.sim.mailbox().pending_faults().iter().filter(|fault| is_loss(fault)).count();
        let lost = self.truth.losses_to_come - left;
        self.truth.losses_to_come = left;
        lost
    }

    /// An address that the mail server has rejected gets no more email.
    pub(super) fn hear_bounces(&mut self) {
        let faults = self.h.sim.mailbox().pending_faults();
        let never_happened: Vec<_> = faults.into_iter().filter_map(|fault| fault.recipient).collect();
        let spared = |address: &String| spellings(address).iter().all(|one| never_happened.contains(one));
        let rejected: Vec<_> =
            self.truth.refused.iter().filter(|address| !spared(address)).cloned().collect();
        if rejected.is_empty() {
            return;
        }
        for address in rejected {
            let is_known = self.model.enrolled().any(|(_, member)| key(&member.address) == address);
            if is_known && self.model.suppress(&address, Suppression::HardBounce) {
                self.note(format_args!("bounced: {address}"));
            }
        }
        self.script_mail();
    }

    /// A retry by the operator ends the bounces of what was given up.
    pub(super) async fn forget_bounces(&mut self) {
        let bounced = Suppression::HardBounce.as_str();
        let enrolled: Vec<_> =
            self.model.enrolled().map(|(id, member)| (id.clone(), key(&member.address))).collect();
        for (id, address) in enrolled {
            let only_bounced =
                self.model.suppressed.get(&address).is_some_and(|reasons| reasons.iter().eq([&bounced]));
            if only_bounced && !self.is_suppressed(&id).await {
                self.model.suppressed.remove(&address);
            }
        }
        for member in self.model.members.values_mut() {
            for connection in member.connections.values_mut() {
                if let Some(lapse) = &mut connection.lapse {
                    lapse.is_abandoned = false;
                }
            }
        }
    }

    pub(super) async fn is_suppressed(&self, id: &str) -> bool {
        self.h.app.store.is_suppressed(&id.into()).await.expect("the store answers")
    }
}

/// In lower case, and as an import may write it.
fn spellings(address: &str) -> [String; 2] {
    [address.to_owned(), address.replace("family", "Family").replace("example", "Example")]
}
