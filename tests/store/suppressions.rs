//! Suppressions are of addresses, by their hash.

use crate::{Fixture, member, now};
use reconnectd::{domain::Suppression, store::testing::Cell};

pub(crate) async fn a_suppression_outlives_the_member_and_follows_the_address(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    let (alice, bob, hash) = ("alice".into(), "bob".into(), member("alice").email.address_hash());
    assert!(f.store.suppress(hash, Suppression::Operator, now()).await.unwrap());
    assert!(!f.store.suppress(hash, Suppression::Operator, now()).await.unwrap(), "it is suppressed already");
    assert!(f.store.is_suppressed(&alice).await.unwrap() && !f.store.is_suppressed(&bob).await.unwrap());
    assert!(f.store.erase_member(&alice, &"erased:1".into(), now()).await.unwrap());
    f.import(&["alice"]).await;
    assert!(f.store.is_suppressed(&alice).await.unwrap());
    assert!(f.store.unsuppress(hash, now()).await.unwrap());
    assert!(!f.store.is_suppressed(&alice).await.unwrap());
}

pub(crate) async fn an_address_of_an_earlier_version_is_hashed_at_the_start(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    assert_eq!(f.rows().await.set("members", "address_hash", Cell::Null).await.unwrap(), 2);
    let later = f.reopen().await;
    later.suppress(member("alice").email.address_hash(), Suppression::Operator, now()).await.unwrap();
    assert!(later.is_suppressed(&"alice".into()).await.unwrap());
    assert!(!later.is_suppressed(&"bob".into()).await.unwrap());
}
