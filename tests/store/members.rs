//! Members come by import, and go.

use crate::{Fixture, member, now};

pub(crate) async fn an_import_that_is_not_committed_leaves_nothing(f: &Fixture) {
    let mut import = f.store.import(now()).await.unwrap();
    import.add(&[(member("alice"), None)]).await.unwrap();
    drop(import);
    assert_eq!(f.rows().await.count("members").await.unwrap(), 0);
    f.import(&["alice"]).await;
    assert_eq!(f.rows().await.count("members").await.unwrap(), 1);
}

pub(crate) async fn a_member_who_is_removed_keeps_their_history_and_one_who_is_erased_leaves_nothing(
    f: &Fixture,
) {
    f.import(&["alice", "bob"]).await;
    let alice = "alice".into();
    assert!(f.store.remove_member(&alice, now()).await.unwrap());
    assert!(!f.store.remove_member(&alice, now()).await.unwrap());
    assert_eq!(f.rows().await.count("members").await.unwrap(), 2);
    assert!(f.store.erase_member(&alice).await.unwrap());
    assert!(!f.store.erase_member(&alice).await.unwrap());
    let left = f.rows().await.contents().await.unwrap();
    assert!(!left.iter().any(|row| row.contains("alice")), "{left:?}");
    assert!(left.iter().any(|row| row.contains("bob")));
}
