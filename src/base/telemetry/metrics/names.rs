//! The names of the metrics.

pub(super) const BUILD_INFO: &str = "reconnectd_build_info";
pub(super) const CONFIG_RELOAD_SUCCESSFUL: &str = "reconnectd_config_last_reload_successful";
pub(super) const CONFIG_RELOADED_AT: &str = "reconnectd_config_last_reload_success_timestamp_seconds";
pub(super) const INSTANCES: &str = "reconnectd_instances";
pub(super) const CLOCK_DIFFERENCE: &str = "reconnectd_database_clock_difference_seconds";

pub(super) const SWEEPS: &str = "reconnectd_sweeps_total";
pub(super) const SWEEP_DURATION: &str = "reconnectd_sweep_duration_seconds";
pub(super) const SWEEP_TICKS_SKIPPED: &str = "reconnectd_sweep_ticks_skipped_total";
pub(super) const SWEEP_LAG: &str = "reconnectd_sweep_lag_seconds";
pub(super) const SWEEPS_OVERDUE: &str = "reconnectd_sweeps_overdue";
pub(super) const LAST_SWEEP: &str = "reconnectd_last_sweep_timestamp_seconds";
pub(super) const LAST_COMPLETE_SWEEP: &str = "reconnectd_last_complete_sweep_timestamp_seconds";
pub(super) const MEMBERS_POLLED: &str = "reconnectd_members_polled_total";

pub(super) const GATEWAY_REQUEST_DURATION: &str = "reconnectd_gateway_request_duration_seconds";

pub(super) const MEMBERS: &str = "reconnectd_members";
pub(super) const MEMBERS_UNCLEAR: &str = "reconnectd_members_unclear";
pub(super) const MEMBERS_UNREACHABLE: &str = "reconnectd_members_unreachable";
pub(super) const MEMBERS_SUPPRESSED: &str = "reconnectd_members_suppressed";
pub(super) const CREDENTIALS: &str = "reconnectd_credentials";
pub(super) const CREDENTIALS_UNDER_OLD_KEYS: &str = "reconnectd_credentials_under_old_keys";
pub(super) const CONNECTIONS: &str = "reconnectd_connections";
pub(super) const TRANSITIONS: &str = "reconnectd_transitions_total";
pub(super) const PERSON_MISMATCHES: &str = "reconnectd_person_mismatches_total";

pub(super) const ROWS_PURGED: &str = "reconnectd_rows_purged_total";

pub(super) const LAPSES_OPEN: &str = "reconnectd_lapses_open";
pub(super) const LAPSES_OPENED: &str = "reconnectd_lapses_opened_total";
pub(super) const LAPSES_CLOSED: &str = "reconnectd_lapses_closed_total";
pub(super) const RECOVERY_DURATION: &str = "reconnectd_recovery_duration_seconds";
pub(super) const FUNNEL: &str = "reconnectd_funnel_lapses";

pub(super) const NOTICES: &str = "reconnectd_notices";
pub(super) const NOTICE_ATTEMPTS: &str = "reconnectd_notices_total";
pub(super) const QUEUE_AGE: &str = "reconnectd_queue_age_seconds";
pub(super) const EMAIL_DELAY: &str = "reconnectd_email_delay_seconds";
pub(super) const HOLDS: &str = "reconnectd_holds";
pub(super) const STORMS: &str = "reconnectd_storms_total";
pub(super) const BOUNCES: &str = "reconnectd_bounces_total";

pub(super) const REDEMPTIONS: &str = "reconnectd_redemptions_total";
pub(super) const LINK_REQUESTS: &str = "reconnectd_link_requests_total";
pub(super) const LINK_REQUESTS_DROPPED: &str = "reconnectd_link_requests_dropped_total";
pub(super) const RATE_LIMITED_REQUESTS: &str = "reconnectd_rate_limited_requests_total";
pub(super) const PATH_ALARMS: &str = "reconnectd_path_alarms";

pub(super) const EVENTS: &str = "reconnectd_events";
pub(super) const EVENT_ATTEMPTS: &str = "reconnectd_event_attempts_total";

pub(super) const DATABASE_SIZE: &str = "reconnectd_database_size_bytes";
pub(super) const DATABASE_LOG_SIZE: &str = "reconnectd_database_log_size_bytes";
pub(super) const WRITES_WAITING: &str = "reconnectd_database_writes_waiting";
pub(super) const TOKEN_COMMIT_DURATION: &str = "reconnectd_token_commit_duration_seconds";
pub(super) const COMMIT_DURATION: &str = "reconnectd_database_commit_duration_seconds";
pub(super) const COMMIT_UNITS: &str = "reconnectd_database_commit_units";
