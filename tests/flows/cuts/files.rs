//! The purge, backups, and rotations of the keys.

use super::stage::{Blow, Stage, blows};
use chrono::TimeDelta;
use reconnectd::{
    credentials::{keyring::Keyring, rotation::Rotation},
    domain::{Actor, MemberId},
    store::testing::TestDatabase,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DAY: TimeDelta = TimeDelta::days(1);
/// The members of a rotation.
const TOGETHER: usize = 4;
const KEPT_SHORTLY: [(&str, &str); 4] = [
    ("RETENTION__TRANSITIONS", "60d"),
    ("RETENTION__NOTICES", "60d"),
    ("RETENTION__DECISIONS", "60d"),
    ("RETENTION__AUDIT", "60d"),
];

#[tokio::test]
async fn a_purge_that_is_disturbed_is_continued_the_next_day() {
    for blow in blows() {
        let stage = Stage::set_with(blow, "epic", &KEPT_SHORTLY).await.at_each(7);
        let (stop, store) = (CancellationToken::new(), &stage.h.app.store);
        stage
            .at_every_step(
                async |member| {
                    stage.h.reconnect(&stage.email(member).await).await;
                    stage.h.clock.advance(DAY);
                    stage.poll(member).await;
                    stage.h.clock.advance(TimeDelta::days(61));
                    stage.h.app.purge(&stop).await.expect("a purge that is put off");
                    stage.h.clock.advance(DAY);
                },
                async |_, ()| Ok(stage.h.app.purge(&stop).await?),
                async |member, ()| {
                    let run = async || {
                        stage.h.clock.advance(DAY);
                        stage.h.app.purge(&stop).await.expect("a purge");
                        stage.h.contents().await.into_iter().filter(|row| !row.starts_with("purge:"))
                    };
                    let left: Vec<_> = run().await.collect();
                    let of_member =
                        store.transitions(Some(&member.into()), None, 100).await.expect("transitions");
                    assert_eq!(of_member.len(), 1, "the last one stays");
                    assert!(left.into_iter().eq(run().await), "nothing more goes");
                },
            )
            .await;
    }
}

#[tokio::test]
async fn a_rotation_of_the_keys_that_is_disturbed_locks_nobody_out_and_is_continued() {
    for blow in blows() {
        let stage = Stage::set(blow, "epic").await.at_each(7);
        let ring = stage.h.folder.path().join("flows.keys");
        let store = stage.h.app.store.acting_as(Actor::Command("ann".to_owned()));
        let rotate = async || {
            let keyring = Keyring::open(&ring)?;
            let clock = &stage.h.app.clock;
            let rotation =
                Rotation { store: &store, keyring: &keyring, clock, to: None, patience: Duration::ZERO };
            anyhow::Ok(rotation.run(|_| {}).await?)
        };
        stage
            .at_every_step(
                async |member| {
                    // A rotation goes over all members, so each step would take longer than the one before.
                    if let Some(left) = stage.members().iter().rev().nth(TOGETHER) {
                        let id = MemberId::from(left.as_str());
                        let pseudonym = stage.h.app.keyring.pseudonym(&id);
                        store.erase_member(&id, &pseudonym, stage.h.clock.now()).await.expect("an erasure");
                    }
                    stage.watch(member).await;
                    stage.h.clock.advance(TimeDelta::hours(2));
                },
                async |_, ()| rotate().await.map(drop),
                async |member, ()| {
                    stage.h.app.follow_key_ring().await.expect("the ring");
                    stage.poll(member).await;
                    let report = rotate().await.expect("a rotation");
                    assert_eq!(report.pending, None);
                    stage.h.app.follow_key_ring().await.expect("the ring");
                    assert_eq!(stage.h.app.keyring.key_ids(), [report.key_id.as_str()]);
                    assert_eq!(report.locked, 0);
                    stage.poll(member).await;
                },
            )
            .await;
        assert!(stage.h.pass().await.complete(), "all credentials work");
    }
}

#[tokio::test]
async fn a_backup_that_is_cut_off_leaves_nothing_or_a_whole_one() {
    let stage = Stage::set(Blow::Cut, "epic").await;
    if stage.h.database_file().is_none() {
        return;
    }
    let target = |member: &str| stage.h.folder.path().join(format!("{member}.backup"));
    let back_up = async |member: &str| {
        let stop = CancellationToken::new();
        stage.h.app.store.back_up(&target(member), stage.h.clock.now(), &stop, &mut |_| {}).await
    };
    stage
        .at_every_step(
            async |member| stage.watch(member).await,
            async |member, ()| {
                back_up(member).await?;
                Ok(())
            },
            async |member, ()| {
                if !target(member).exists() {
                    back_up(member).await.expect("a backup");
                }
                let mut copy = TestDatabase::open(&target(member)).await.expect("the copy");
                assert_eq!(copy.defects().await.expect("a check"), [] as [&str; 0]);
                let files = std::fs::read_dir(stage.h.folder.path()).expect("the folder");
                let parts = files.filter(|file| {
                    file.as_ref().expect("a file").file_name().to_string_lossy().contains("reconnectd-part")
                });
                assert_eq!(parts.count(), 0, "nothing is left over");
            },
        )
        .await;
}
