//! A member with very many broken connections.

use crate::harness::{Harness, link_in};
use reconnectd::sim::{Change, Operation};

const BROKEN: usize = 200;
/// What one email prepares, and what one page shows.
const LIMIT: usize = 50;

fn waiting(html: &str) -> usize {
    html.matches("data-state=\"available\"").count()
}

#[tokio::test]
async fn one_email_prepares_few_of_them_and_its_page_shows_the_rest_in_turn() {
    let h = Harness::watching(&["alice"]).await;
    let names: Vec<String> = (1..=BROKEN).map(|n| format!("clinic-{n:03}")).collect();
    let expire = || names.iter().map(|name| (name.as_str(), Change::status("EXPIRED")));
    h.sim.world().change_together("alice", expire()).unwrap();
    h.sim.world().reset_requests();
    h.pass().await;
    assert_eq!((h.mails().len(), h.asked("alice", Operation::GetOauthUrl)), (1, LIMIT as u32));
    assert_eq!(h.notices("alice").await[0].notice.items.len(), BROKEN, "the email covers all");

    let link = link_in(&h.mails()[0]);
    let page = h.look(&link).await;
    assert_eq!(waiting(&page.html), LIMIT);
    assert!(page.html.contains(&format!("data-more=\"{}\"", BROKEN - LIMIT)), "{}", page.html);
    assert!(page.html.len() < 50_000, "{} bytes", page.html.len());
    let pressed = h.person().press(&link, &[("connection", &names[BROKEN - 1])]).await.unwrap();
    assert_eq!(pressed.status, 303, "a button that the page does not show works");

    let recover = names[..LIMIT].iter().map(|name| (name.as_str(), Change::status("CONNECTED")));
    h.sim.world().change_together("alice", recover).unwrap();
    h.sweep().await;
    let page = h.look(&link).await;
    assert_eq!(waiting(&page.html), LIMIT, "the next ones");
    assert!(page.html.contains(&names[LIMIT]) && !page.html.contains(&names[0]));
    h.pass().await;
    assert_eq!(h.mails().len(), 1, "the others need no email of their own");
}
