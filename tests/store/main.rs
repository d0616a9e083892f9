//! The store's own suite. Each test is a function that takes an empty store, so that every engine runs the same tests.
#![cfg(feature = "sim")]

#[path = "../support/aged_database/mod.rs"]
mod aged_database;
mod appends;
mod audit;
mod backups;
mod claims;
mod copies;
mod erasures;
mod events;
mod figures;
mod instances;
mod leases;
mod members;
mod migrations;
mod observations;
mod plans;
mod population;
#[path = "../support/postgres.rs"]
mod postgres;
mod redemptions;
mod servers;
mod shape;
#[path = "../support/sqlite.rs"]
mod sqlite;
mod storms;
mod suppressions;
#[path = "../support/tcp_proxy.rs"]
mod tcp_proxy;
mod tls;
mod upgrades;

use reconnectd::{
    base::config::DatabaseUrl,
    domain::{Member, Time},
    store::{ImportRow, Store, query_plans::record_statements, testing::TestDatabase},
};
use tempfile::TempDir;

/// A store, and a way to its rows.
struct Fixture {
    store: Store,
    url: DatabaseUrl,
    /// Of the database file. Empty on PostgreSQL.
    folder: TempDir,
}

impl Fixture {
    async fn sqlite() -> Self {
        record_statements();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.db");
        sqlite::new_database_with_tables(&file).await;
        Self::of(format!("sqlite://{}", file.display()), folder).await
    }

    /// `None` when this machine has no PostgreSQL.
    async fn postgres() -> Option<Self> {
        record_statements();
        Some(Self::of(postgres::new_database_with_tables().await?, tempfile::tempdir().unwrap()).await)
    }

    async fn of(url: String, folder: TempDir) -> Self {
        let url = url.parse().unwrap();
        Self { store: Store::open(&url).await.unwrap(), url, folder }
    }

    /// A second process on the same database.
    async fn reopen(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    async fn rows(&self) -> TestDatabase {
        TestDatabase::connect(&self.url).await.unwrap()
    }

    async fn check_plans(&self) {
        let scans = self.rows().await.table_scans().await.unwrap();
        assert!(scans.is_empty(), "statements that read a whole table: {scans:#?}");
    }

    fn is_file(&self) -> bool {
        matches!(self.url, DatabaseUrl::Sqlite(_))
    }

    /// Runs statements that both engines know.
    async fn run(&self, statements: &str) {
        self.rows().await.run(statements).await.unwrap();
    }

    async fn import(&self, members: &[&str]) {
        let rows: Vec<_> = (1..).zip(members).map(|(line, id)| row(line, id)).collect();
        self.store.import_all(&rows, now()).await.unwrap();
    }
}

fn now() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn member(id: &str) -> Member {
    Member {
        id: id.into(),
        email: format!("{id}@example.org").parse().unwrap(),
        locale: None,
        time_zone: None,
        subject: id.into(),
        label: None,
        paused: false,
    }
}

fn row(line: u64, id: &str) -> ImportRow {
    ImportRow { line, edit: member(id).into(), credential: None }
}

/// Runs tests of the suite on each engine, or on one.
macro_rules! suite {
    (both { $($module:ident: $($test:ident),+ $(,)?;)+ } sqlite { $($file_module:ident: $($file_test:ident),+ $(,)?;)+ }
     server { $($server_module:ident: $($server_test:ident),+ $(,)?;)+ }) => {
        mod on_sqlite {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let fixture = crate::Fixture::sqlite().await;
                    crate::$module::$test(&fixture).await;
                    fixture.check_plans().await;
                })+
            })+
            mod files {
                $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $file_test() {
                    crate::$file_module::$file_test(&crate::Fixture::sqlite().await).await;
                })+)+
            }
        }
        mod on_postgres {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(fixture) = crate::Fixture::postgres().await {
                        crate::$module::$test(&fixture).await;
                        fixture.check_plans().await;
                    }
                })+
            })+
            mod shared {
                $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $server_test() {
                    if let Some(fixture) = crate::Fixture::postgres().await {
                        crate::$server_module::$server_test(&fixture).await;
                    }
                })+)+
            }
        }
    };
}

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    if let Some(postgres) = Fixture::postgres().await {
        shape::both_engines_have_the_same_tables(&Fixture::sqlite().await, &postgres).await;
    }
}

suite! {
    both {
        appends:
            a_purge_deletes_old_transitions_and_not_the_last_one_of_a_connection,
            transitions_are_never_changed_or_deleted;
        audit:
            a_purge_deletes_old_rows_of_the_audit_and_no_others,
            a_retry_is_recorded_with_the_number_of_notices_if_there_were_any,
            an_erased_member_has_a_pseudonym_in_the_audit,
            an_import_leaves_one_row_with_the_number_of_its_members,
            the_audit_is_never_changed_or_deleted,
            the_audit_is_read_page_by_page_from_a_time_on,
            what_somebody_does_is_recorded_with_it_and_what_the_daemon_does_is_not;
        claims:
            batches_of_racing_workers_are_disjoint,
            a_batch_takes_what_is_due_first,
            a_batch_leaves_room_for_other_domains,
            a_batch_counts_the_earlier_attempts_of_each_notice,
            notices_that_are_not_due_are_not_claimed;
        erasures:
            an_erased_member_is_in_no_table,
            erasing_one_of_several_keeps_what_the_others_share;
        events:
            events_are_counted_by_state_and_those_that_failed_by_type,
            events_that_failed_are_listed_page_by_page_and_by_type;
        figures:
            the_charts_count_by_day_and_source_and_mark_what_explains_a_change,
            the_views_count_what_waits_is_open_recovered_or_reaches_nobody;
        instances:
            the_leases_of_a_dead_instance_are_released_and_no_others,
            only_daemons_that_are_alive_are_reported;
        leases:
            one_of_sixteen_racing_refreshes_gets_the_lease,
            a_refresh_lease_can_be_taken_over_once_it_has_expired,
            a_released_lease_can_be_taken_at_once,
            a_refresh_that_lost_its_lease_leaves_its_successor_alone,
            tokens_are_stored_if_a_rotation_of_the_keys_has_sealed_the_used_one_again,
            tokens_of_a_subject_that_the_member_no_longer_has_are_not_stored,
            tokens_that_a_former_key_sealed_are_not_stored,
            a_notice_is_claimed_once_by_sixteen_racing_workers,
            an_expired_claim_is_rescued_and_the_late_result_is_dropped,
            a_handover_extends_the_lease_for_as_long_as_it_may_take,
            a_result_that_was_stored_without_an_answer_can_be_stored_again;
        members:
            an_import_changes_the_values_that_it_mentions,
            a_removed_member_is_enrolled_again_with_the_defaults,
            an_import_keeps_what_is_known_of_an_enrolled_member_and_nothing_of_a_removed_one,
            an_import_that_is_not_applied_changes_no_member,
            an_import_interrupted_while_it_is_applied_is_finished_by_the_next,
            only_one_import_runs_at_a_time,
            a_member_who_is_removed_keeps_their_history_and_one_who_is_erased_leaves_nothing;
        observations:
            observers_of_one_member_record_each_transition_once;
        plans:
            a_statement_that_reads_a_whole_table_is_reported_if_the_table_grows;
        redemptions:
            of_sixteen_racing_presses_one_consumes_the_link,
            of_sixteen_racing_presses_the_permitted_number_consumes_the_link,
            sixteen_requests_of_one_press_consume_one_redemption,
            a_press_that_something_has_overtaken_consumes_nothing;
        storms:
            a_storm_calms_down_when_a_window_has_passed_with_few_lapses;
        suppressions:
            a_suppression_outlives_the_member_and_follows_the_address;
    }
    sqlite {
        backups:
            a_backup_has_every_row_and_replaces_no_file,
            a_backup_that_cannot_be_written_leaves_nothing,
            what_a_killed_backup_left_is_deleted_and_nothing_else,
            an_erased_member_is_in_no_byte_of_later_backups,
            an_erasure_that_waits_for_a_reader_stops_no_writer,
            after_a_restore_everything_that_was_queued_is_held,
            a_restore_replaces_nothing_and_waits_for_no_daemon,
            a_file_that_is_no_sound_backup_is_refused,
            a_copy_of_the_files_is_restored_with_its_log,
            an_earlier_version_s_backup_is_brought_to_this_version;
        instances:
            a_daemon_on_a_file_releases_what_an_earlier_one_was_sending,
            the_starts_of_daemons_are_recorded_for_a_year_and_those_of_commands_are_not;
        leases:
            a_second_daemon_is_kept_out_until_the_first_ends;
        members:
            an_import_takes_short_steps_only_while_a_daemon_runs,
            a_member_of_an_earlier_version_gets_a_place_in_the_order_of_sweeps,
            an_erased_member_is_in_no_byte_of_the_files;
        migrations:
            a_database_of_an_earlier_version_keeps_its_rows;
        suppressions:
            an_address_of_an_earlier_version_is_hashed_at_the_start;
        plans:
            counting_mismatches_reads_their_index;
    }
    server {
        instances:
            an_instance_that_was_presumed_dead_takes_no_lease_before_its_next_heartbeat,
            an_instance_that_ends_releases_its_own_leases_only;
    }
}
