//! The kind of a database's error, whichever engine reports it.

use sqlx::postgres::PgDatabaseError;
use std::io::ErrorKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Others held the lock for too long.
    Busy,
    /// Others held a row or a table for longer than the transaction waits.
    RowLocked,
    /// The database gave the transaction up for another one. The same unit of work may succeed at once.
    Conflict,
    /// The server cannot be reached, or ended the connection.
    ConnectionLost,
    /// The server gave no connection in time: it is down, or has none left.
    NoConnection,
    /// The statement ran for longer than the server lets it.
    TimedOut,
    Full,
    ReadOnly,
    Io,
    CannotOpen,
    Damaged,
    /// The file has no header of SQLite.
    NotADatabase,
    /// The user lacks a right.
    Denied,
    Other,
}

impl Failure {
    pub(super) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Io(error) if error.kind() == ErrorKind::NotConnected => Self::NoConnection,
            // SQLite reports all of its errors as a database's.
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => Self::ConnectionLost,
            sqlx::Error::Protocol(_) | sqlx::Error::PoolClosed => Self::ConnectionLost,
            sqlx::Error::Database(database) => match database.code() {
                None => Self::Other,
                Some(code) if database.try_downcast_ref::<PgDatabaseError>().is_some() => {
                    Self::of_postgres(&code)
                }
                Some(code) => code.parse().map_or(Self::Other, Self::of_sqlite),
            },
            _ => Self::Other,
        }
    }

    /// The reason code in `/readyz` and in logs.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Busy | Self::RowLocked | Self::Conflict => "database_locked",
            Self::ConnectionLost | Self::NoConnection => "database_unreachable",
            Self::TimedOut => "database_timeout",
            Self::ReadOnly => "database_read_only",
            Self::Io => "database_io",
            Self::Full => "database_full",
            Self::CannotOpen | Self::Denied => "database_cannot_open",
            Self::Damaged | Self::NotADatabase => "database_damaged",
            Self::Other => "database_failed",
        }
    }

    /// The lowest byte of an extended result code is the code itself.
    fn of_sqlite(code: i32) -> Self {
        match code & 0xff {
            5 | 6 => Self::Busy,
            8 => Self::ReadOnly,
            10 => Self::Io,
            11 => Self::Damaged,
            13 => Self::Full,
            14 => Self::CannotOpen,
            26 => Self::NotADatabase,
            _ => Self::Other,
        }
    }

    /// The first two characters of an SQLSTATE are its class.
    fn of_postgres(code: &str) -> Self {
        match code {
            "40001" | "40P01" => Self::Conflict,
            "55P03" => Self::RowLocked,
            "53300" => Self::NoConnection,
            "57014" => Self::TimedOut,
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Self::ConnectionLost,
            "25006" => Self::ReadOnly,
            "53100" => Self::Full,
            "58030" => Self::Io,
            "42501" | "28000" | "28P01" => Self::Denied,
            // The database was dropped or renamed, or accepts no connections.
            "3D000" | "55000" => Self::CannotOpen,
            _ if code.starts_with("08") => Self::ConnectionLost,
            "XX001" | "XX002" => Self::Damaged,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_report_the_same_kinds_of_failure() {
        for (sqlite, postgres, expected) in [
            (13, "53100", Failure::Full),
            (8 | 1 << 8, "25006", Failure::ReadOnly),
            (10 | 3 << 8, "58030", Failure::Io),
            (11, "XX001", Failure::Damaged),
            (14, "55000", Failure::CannotOpen),
            (19 | 8 << 8, "23505", Failure::Other),
        ] {
            assert_eq!(Failure::of_sqlite(sqlite), expected, "{sqlite}");
            assert_eq!(Failure::of_postgres(postgres), expected, "{postgres}");
        }
    }

    #[test]
    fn a_connection_that_breaks_is_told_from_one_that_there_never_was() {
        let io = |kind: ErrorKind| sqlx::Error::Io(kind.into());
        for (error, expected) in [
            (sqlx::Error::PoolTimedOut, Failure::Busy),
            (io(ErrorKind::NotConnected), Failure::NoConnection),
            (io(ErrorKind::BrokenPipe), Failure::ConnectionLost),
            (sqlx::Error::Protocol("garbled".into()), Failure::ConnectionLost),
            (sqlx::Error::PoolClosed, Failure::ConnectionLost),
            (sqlx::Error::WorkerCrashed, Failure::ConnectionLost),
            (sqlx::Error::RowNotFound, Failure::Other),
        ] {
            assert_eq!(Failure::of(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn postgres_can_give_a_transaction_up_or_end_the_connection() {
        for (code, expected) in [
            ("40001", Failure::Conflict),
            ("40P01", Failure::Conflict),
            ("08006", Failure::ConnectionLost),
            ("57P01", Failure::ConnectionLost),
            ("55P03", Failure::RowLocked),
            ("57014", Failure::TimedOut),
            ("42501", Failure::Denied),
            ("28000", Failure::Denied),
            ("28P01", Failure::Denied),
            ("53300", Failure::NoConnection),
            ("3D000", Failure::CannotOpen),
            ("XX000", Failure::Other),
        ] {
            assert_eq!(Failure::of_postgres(code), expected, "{code}");
        }
    }
}
