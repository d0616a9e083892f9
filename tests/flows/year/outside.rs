//! The troubles of the gateway and of the mail server, as faults of the simulator.

use super::events::{GatewayTrouble, MailTrouble};
use super::model::key;
use super::run::Run;
use reconnectd::domain::Suppression;
use reconnectd::sim::{Fault, FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage};

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
    }

    /// Replaces all faults of the mail server.
    pub(super) fn script_mail(&self) {
        let mailbox = self.h.sim.mailbox();
        mailbox.clear_faults();
        for address in &self.truth.refused {
            for spelling in
                [address.clone(), address.replace("family", "Family").replace("example", "Example")]
            {
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

    /// The mail server rejected addresses, so the daemon may have suppressed them.
    pub(super) async fn learn_bounces(&mut self) {
        let enrolled: Vec<_> =
            self.model.enrolled().map(|(id, member)| (id.clone(), member.address.clone())).collect();
        for (id, address) in enrolled {
            let is_refused = self.truth.refused.contains(&key(&address));
            if is_refused && !self.model.is_suppressed(&address) && self.is_suppressed(&id).await {
                self.note(format_args!("bounced: {address}"));
                self.model.suppress(&address, Suppression::HardBounce);
            }
        }
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
