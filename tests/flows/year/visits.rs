//! What people do with their emails.

use super::connection::State;
use super::events::Choice;
use super::model::key;
use super::reports::REDEEMED;
use super::run::{Check, Run};
use crate::browser::Browser;
use chrono::TimeDelta;
use futures_util::future::join;
use reconnectd::domain::{NoticeKind, Suppression};
use reconnectd::sim::{Operation, PageResponse};

/// How many of the latest links people still open.
const OPENED: usize = 16;
/// From a press to the first look.
const RECHECK: TimeDelta = TimeDelta::seconds(35);

impl Run {
    pub(super) async fn visit(&mut self, link: usize, choice: Choice) -> Check {
        let latest = self.urls.len().min(OPENED);
        if latest == 0 {
            return Ok(());
        }
        let url = self.urls[self.urls.len() - 1 - link % latest].clone();
        let browser = self.h.browser();
        let page = browser.arrive(&url).await;
        let forms = page.forms();
        self.model.check_page(&url, &forms, self.now())?;
        self.check_offers(&url, &forms)?;
        let wanted = match choice {
            Choice::Look => return Ok(()),
            Choice::Reconnect | Choice::GiveUp | Choice::ReconnectTwice => "redeem",
            Choice::Snooze => "snooze",
            Choice::Dismiss => "dismiss",
            Choice::Undo => "undo",
            Choice::Resend => "resend",
            Choice::Resubscribe => "resubscribe",
        };
        let Some(form) = forms.iter().find(|form| form.split(' ').next() == Some(wanted)) else {
            return Ok(());
        };
        let source = form.split_once(' ').map_or(String::new(), |(_, source)| source.to_owned());
        let action = if wanted == "redeem" { url.clone() } else { format!("{url}/{wanted}") };
        browser.read().await;
        let fields = if source.is_empty() { vec![] } else { vec![("connection", source.as_str())] };
        let shown = if choice == Choice::ReconnectTwice {
            self.press_in_two_browsers((&browser, &page), &url, &fields).await?
        } else {
            browser.press_on(&page, &action, &fields).await
        };
        match wanted {
            "redeem" => self.redeem(&url, &source, &shown, choice).await,
            "resend" => {
                self.learn_request(&url).await;
                Ok(())
            }
            "resubscribe" => {
                self.learn_resubscription(&url);
                // It also requests a new link.
                self.learn_request(&url).await;
                Ok(())
            }
            _ => self.decide(wanted, &url, &source, &shown),
        }
    }

    /// At the same time, from pages that were open before. Returns what the one shows that leads to the sign-in, if any.
    async fn press_in_two_browsers(
        &self,
        (browser, page): (&Browser, &PageResponse),
        url: &str,
        fields: &[(&str, &str)],
    ) -> Result<PageResponse, String> {
        let other = self.h.browser();
        let other_page = other.arrive(url).await;
        other.read().await;
        let (one, other) =
            join(browser.press_on(page, url, fields), other.press_on(&other_page, url, fields)).await;
        match [one.status, other.status] {
            [303, 303] => Err("a link works twice at the same time".to_owned()),
            [303, _] => Ok(one),
            _ => Ok(other),
        }
    }

    fn check_offers(&self, url: &str, forms: &[String]) -> Check {
        let Some(link) = self.model.link(url) else { return Ok(()) };
        for source in &link.sources {
            let form = format!("redeem {source}");
            if self.model.must_redeem(link, source, &self.truth, self.now()) && !forms.contains(&form) {
                return Err(format!("its page does not offer {form}, only {forms:?}: {link:?}"));
            }
        }
        Ok(())
    }

    async fn redeem(&mut self, url: &str, source: &str, shown: &PageResponse, choice: Choice) -> Check {
        let now = self.now();
        let link = self.model.link(url).cloned().ok_or("a link that must reveal nothing has a button")?;
        let (may, must) = (
            self.model.may_redeem(&link, source, now),
            self.model.must_redeem(&link, source, &self.truth, now),
        );
        self.note(format_args!("  pressed {source} of {}: {}", link.member, shown.status));
        if shown.status != 303 {
            return if must { Err(format!("a press gets {}: {link:?}", shown.status)) } else { Ok(()) };
        }
        if !may {
            return Err(format!("a press leads to a sign-in: {link:?}"));
        }
        if let Some(link) = self.model.link_mut(url) {
            link.redeemed.insert(source.to_owned(), now);
        }
        let of = (link.member.clone(), source.to_owned());
        self.model.facts.entry(of).or_default().push_back(REDEEMED);
        if let Some(lapse) = self.model.lapse(&link.member, source).filter(|lapse| lapse.is_dismissed()) {
            lapse.reopen();
        }
        if choice != Choice::GiveUp {
            self.h.allow(shown).await;
            let of = (link.member.clone(), source.to_owned());
            self.truth.rows.insert(of, Some("CONNECTED".to_owned()));
        }
        if choice == Choice::ReconnectTwice {
            let again = self.h.browser().press(url, &[("connection", source)]).await;
            if again.status == 303 {
                return Err(format!("a link works twice: {link:?}"));
            }
        }
        // The daemon looks soon.
        self.h.clock.advance(RECHECK);
        let asked = self.h.asked(&link.member, Operation::GetMemberConnections);
        self.tick(false).await;
        let is_paused = self.model.members.get(&link.member).is_none_or(|member| member.is_paused);
        let is_polled = self.h.asked(&link.member, Operation::GetMemberConnections) > asked;
        // The poll may need an access token whose response is lost.
        let has_lost_token = self.truth.refreshes_to_lose.contains(&link.member);
        if must && !is_paused && !is_polled && !has_lost_token {
            return Err(format!("no poll after a press: {link:?}"));
        }
        Ok(())
    }

    fn learn_resubscription(&mut self, url: &str) {
        let address = self.model.link(url).map(|link| link.address.clone());
        if let Some(reasons) = address.and_then(|address| self.model.suppressed.get_mut(&address)) {
            reasons.remove(Suppression::Unsubscribed.as_str());
        }
    }

    /// What a page offers has the effect that it says.
    fn decide(&mut self, action: &str, url: &str, source: &str, shown: &PageResponse) -> Check {
        let now = self.now();
        let link = self.model.link(url).cloned().ok_or("a link that must reveal nothing has a button")?;
        let Some(lapse) = self.model.lapse(&link.member, source) else {
            return Err(format!("a page offers {action} without a lapse"));
        };
        self.journal.push(format!("  {action} {} {source}: {}", link.member, shown.status));
        match action {
            "snooze" if lapse.state == State::Open => lapse.snooze(now),
            "dismiss" if lapse.state == State::Open => {
                lapse.close(super::connection::Outcome::Dismissed, now);
                if let Some(link) = self.model.link_mut(url) {
                    link.redeemed.remove(source);
                }
            }
            "undo" if lapse.is_dismissed() && !lapse.is_parted => lapse.reopen(),
            "undo" if lapse.is_snoozed(now) => lapse.snoozed_until = None,
            _ => return Err(format!("a page offers {action} while the lapse is {:?}", lapse.state)),
        }
        Ok(())
    }

    /// The email that a member requested passes most gates.
    async fn learn_request(&mut self, url: &str) {
        let Some(link) = self.model.link(url).cloned() else { return };
        for listed in self.h.notices(&link.member).await {
            let id = listed.notice.id.to_string();
            if listed.reason == "resend" && self.model.requested.insert(id.clone()) {
                self.note(format_args!("  {} requests an email", link.member));
                if listed.notice.kind == NoticeKind::Invited {
                    let source = link.sources.first().cloned().unwrap_or_default();
                    self.invited.insert(id, (link.member.clone(), source));
                }
            }
        }
    }

    /// With the button of the mail program.
    pub(super) async fn unsubscribe(&mut self, id: &str) -> Check {
        let Some(member) = self.model.members.get(id).filter(|member| member.is_enrolled) else {
            return Ok(());
        };
        let address = key(&member.address);
        let of_address = |link: &&super::links::Link| link.member == id && link.address == address;
        let Some(link) = self.model.links.iter().rfind(of_address).cloned() else { return Ok(()) };
        let Some(unsubscribe) = link.unsubscribe else { return Ok(()) };
        let form = [("List-Unsubscribe", "One-Click")];
        let response = self.h.browser().post(&unsubscribe, &form).await;
        if response.status != 200 {
            return Err(format!("to unsubscribe gets {}", response.status));
        }
        self.model.suppress(&address, Suppression::Unsubscribed);
        Ok(())
    }
}
